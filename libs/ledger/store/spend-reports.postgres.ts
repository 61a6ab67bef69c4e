import type { DataSource } from 'typeorm';
import { AppError } from '#libs/platform/errors.js';
import { ROLLUP_SUMS, type RollupSum } from '../rollups/rollup-sql.js';
import { decodeSpendCursor, encodeSpendCursor } from '../spend/spend-cursor.js';
import { daysOf, type SpendDay } from '../spend/spend-range.js';
import type {
  DailySpend,
  SpendDimension,
  SpendFilter,
  SpendPage,
  SpendQuery,
  SpendRange,
  SpendReports,
  SpendRow,
  SpendSums,
} from '../spend/spend-report.js';

/** Dimension → its value, with `c` for what is summed and `t` for one of its tags. */
const VALUES = {
  team: 'c.team',
  user: 'c.owner_user',
  app: 'c.owner_app',
  key: 'c.key_id',
  model: 'c.model',
  provider: 'c.provider',
  tag: `coalesce(t.tag, '')`,
  day: 'c.day_name',
} as const satisfies Record<SpendDimension, string>;

/** Filter → its condition on `usage_dimensions d`; `?` stands for the parameter. */
const CONDITIONS = {
  team: 'd.team = ?',
  user: 'd.owner_user = ?',
  app: 'd.owner_app = ?',
  key: '(d.key_id = ? OR d.key_name = ?)',
  model: 'd.model = ?',
  provider: 'd.provider = ?',
  tag: 'EXISTS (SELECT 1 FROM usage_dimension_tags f WHERE f.dimension_id = d.id AND f.org_id = d.org_id AND f.tag = ?)',
} as const satisfies Record<keyof SpendFilter, string>;

const sumsOf = (alias: string, prefix = ''): string =>
  ROLLUP_SUMS.map((name) => `coalesce(sum(${alias}.${name}), 0)::text AS ${prefix}${name}`).join(', ');

type Stored = Readonly<Record<RollupSum, string>>;
type StoredPage = Stored &
  Readonly<Record<`total_${RollupSum}`, string>> & {
    readonly g1: string | null;
    readonly g2: string | null;
    readonly key_name: string | null;
  };

/** Reports summed up from `usage_rollups` by one statement each, so that groups and totals are of the same moment. */
export class PostgresSpendReports implements SpendReports {
  constructor(private readonly source: Pick<DataSource, 'query'>) {}

  async page(query: SpendQuery): Promise<SpendPage> {
    const { groupBy, sort, limit } = query;
    const { values, chosen } = choose(query, groupBy.includes('day') ? daysOf(query) : [{ ...query, name: '' }]);
    const [first, second] = groupBy.map((dimension) => VALUES[dimension]);
    const tags = groupBy.includes('tag') ? 'LEFT JOIN usage_dimension_tags t ON t.dimension_id = c.id' : '';
    const after = query.cursor === undefined ? null : decodeSpendCursor(query, query.cursor);
    const place = (value: unknown): string => `$${values.push(value)}`;
    let from = '';
    if (after !== null) {
      const groups = `(g1, g2) > (${place(after.groups[0])}::text COLLATE "C", ${place(after.groups[1] ?? '')}::text COLLATE "C")`;
      const cost = sort === 'cost' ? place(String(after.costNanos)) : '';
      from =
        sort === 'cost'
          ? `WHERE cost < ${cost}::numeric OR (cost = ${cost}::numeric AND ${groups})`
          : `WHERE ${groups}`;
    }
    const order = sort === 'cost' ? 'cost DESC, g1, g2' : 'g1, g2';
    const rows = await this.#run<StoredPage>(
      `${chosen},
      totals AS (SELECT ${sumsOf('c', 'total_')} FROM chosen c),
      grouped AS (
        SELECT (${first}) COLLATE "C" AS g1, (${second ?? `''`}) COLLATE "C" AS g2, sum(c.cost_nanos) AS cost,
          (array_agg(c.key_name ORDER BY c.last DESC))[1] AS key_name, ${sumsOf('c')}
        FROM chosen c ${tags} GROUP BY 1, 2),
      page AS (SELECT * FROM grouped ${from} ORDER BY ${order} LIMIT ${place(limit + 1)})
      SELECT * FROM totals LEFT JOIN page ON true ORDER BY ${order}`,
      values,
    );
    const found = rows.filter(({ g1 }) => g1 !== null).map((row) => toRow(row, groupBy));
    const kept = found.slice(0, limit);
    return {
      rows: kept,
      totals: toSums((name) => (rows[0] as StoredPage)[`total_${name}`]),
      nextCursor: found.length > limit ? encodeSpendCursor(query, kept.at(-1) as SpendRow) : null,
    };
  }

  async daily(
    query: SpendRange & SpendFilter & { readonly orgId: string; readonly limit: number },
  ): Promise<DailySpend[]> {
    const days = daysOf(query);
    const { values, chosen } = choose(query, days);
    values.push(query.limit);
    const rows = await this.#run<Stored & Readonly<Record<string, unknown>>>(
      `${chosen}
      SELECT c.day, c.team, c.owner_user, c.owner_app, c.key_id, c.key_name, c.provider, c.model, c.tags, ${sumsOf('c')}
      FROM chosen c GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
      ORDER BY c.day, c.provider, c.model, c.team, c.key_id, c.owner_user, c.owner_app, c.tags LIMIT $${values.length}`,
      values,
    );
    return rows.map((row) => {
      const { name, fromMs, toMs } = days[Number(row['day']) - 1] as SpendDay;
      return {
        day: name,
        fromMs,
        toMs,
        team: String(row['team']),
        user: String(row['owner_user']),
        app: String(row['owner_app']),
        keyId: String(row['key_id']),
        keyName: String(row['key_name']),
        provider: String(row['provider']),
        model: String(row['model']),
        tags: row['tags'] as string[],
        ...toSums((sum) => row[sum]),
      };
    });
  }

  async #run<Row>(text: string, values: unknown[]): Promise<Row[]> {
    try {
      return (await this.source.query(text, values)) as Row[];
    } catch (error) {
      throw new AppError('store_unavailable', { text: 'The report cannot be made right now.', cause: error });
    }
  }
}

/**
 * The beginning of a statement: `chosen` has the sums of each dimension on each of `days` (numbered from 1), with what tells
 * dimensions apart. Summed first and joined then, since roll-ups are many and dimensions few.
 */
function choose(
  query: SpendFilter & { readonly orgId: string },
  days: readonly SpendDay[],
): { readonly chosen: string; readonly values: unknown[] } {
  const values: unknown[] = [
    query.orgId,
    days.map(({ fromMs }) => new Date(fromMs).toISOString()),
    days.map(({ toMs }) => new Date(toMs).toISOString()),
    days.map(({ name }) => name),
  ];
  const conditions = ['d.org_id = $1'];
  for (const [name, condition] of Object.entries(CONDITIONS)) {
    const value = query[name as keyof SpendFilter];
    if (value === undefined) continue;
    values.push(value);
    conditions.push(condition.replaceAll('?', `$${values.length}`));
  }
  const isFiltered = conditions.length > 1;
  const chosen = `
    WITH wanted AS (SELECT d.* FROM usage_dimensions d WHERE ${conditions.join(' AND ')}),
    sums AS (
      SELECT span.day, span.name AS day_name, of_day.* FROM unnest($2::timestamptz[], $3::timestamptz[], $4::text[])
        WITH ORDINALITY AS span (begins, ends, name, day)
      CROSS JOIN LATERAL (
        SELECT r.dimension_id, max(r.ts) AS last, ${ROLLUP_SUMS.map((name) => `sum(r.${name}) AS ${name}`).join(', ')}
        FROM usage_rollups r
        WHERE r.org_id = $1 AND r.ts >= span.begins AND r.ts < span.ends
          ${isFiltered ? 'AND r.dimension_id IN (SELECT id FROM wanted)' : ''}
        GROUP BY 1) of_day),
    chosen AS (SELECT wanted.*, sums.* FROM sums JOIN wanted ON wanted.id = sums.dimension_id)`;
  return { chosen, values };
}

function toRow(row: StoredPage, groupBy: readonly SpendDimension[]): SpendRow {
  return {
    groups: [row.g1 as string, row.g2 as string].slice(0, groupBy.length),
    keyName: groupBy.includes('key') ? row.key_name : null,
    ...toSums((name) => row[name]),
  };
}

function toSums(read: (name: RollupSum) => string): SpendSums {
  return {
    calls: Number(read('calls')),
    failedCalls: Number(read('failed_calls')),
    unpricedCalls: Number(read('unpriced_calls')),
    unknownCalls: Number(read('unknown_calls')),
    inputTokens: Number(read('input_tokens')),
    cachedInputTokens: Number(read('cached_input_tokens')),
    cacheWriteTokens: Number(read('cache_write_tokens')),
    outputTokens: Number(read('output_tokens')),
    reasoningTokens: Number(read('reasoning_tokens')),
    costNanos: BigInt(read('cost_nanos')),
  };
}
