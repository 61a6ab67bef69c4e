import type { Pool, QueryConfig, QueryResult } from 'pg';
import type { DataSource } from 'typeorm';
import { AppError } from '#libs/platform/errors.js';
import { idTimeMs, idUuid } from '#libs/platform/ids.js';
import { decodeCursor, encodeCursor, type Keyset } from '../keyset-cursor.js';
import { READ, type StoredRow, toRow } from './stored-usage-row.js';
import type { UsageFilter, UsageLog, UsagePage, UsageQuery, UsageRow } from './usage-ledger.js';

const DAY_MS = 86_400_000;
/** A page is looked for in ever longer spans back from its end, so that a full one reads few partitions. */
const SPANS_MS = [DAY_MS, 8 * DAY_MS, 60 * DAY_MS, Infinity];
/** Rows of gateways whose clock is ahead are shown too. */
const AHEAD_MS = DAY_MS;
const LAST_UUID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
const QUERY_MS = 10_000;

/** Filter → its condition; `?` stands for the parameter. */
const CONDITIONS = {
  model: '(model = ? OR model_requested = ?)',
  provider: 'provider = ?',
  keyId: 'key_id = ?',
  keyName: 'key_name = ?',
  team: 'team = ?',
  user: 'owner_user = ?',
  app: 'owner_app = ?',
  route: 'route = ?',
  error: 'error = ?',
} as const satisfies Partial<Record<keyof UsageFilter, string>>;

interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

/**
 * The log read from `usage_events`. Every statement has a name, so PostgreSQL plans it once per connection, and a lower
 * time bound, so it opens only the partitions it needs.
 */
export class PostgresUsageLog implements UsageLog {
  readonly #pool: Pool;

  constructor(source: DataSource) {
    // TypeORM names no statements; its driver's pool does.
    this.#pool = (source.driver as unknown as { readonly master: Pool }).master;
  }

  async page(query: UsageQuery): Promise<UsagePage> {
    const after = query.cursor === undefined ? null : decodeCursor(query.cursor);
    const endMs = Math.min(query.toMs ?? Infinity, after === null ? Date.now() + AHEAD_MS : after.timeMs + 1);
    const floorMs = Math.max(query.fromMs ?? 0, 0);
    const rows: UsageRow[] = [];
    let untilMs = endMs;
    for (const span of SPANS_MS) {
      const fromMs = Math.max(floorMs, endMs - span);
      if (fromMs >= untilMs) continue;
      const found = await this.#run(listing(query, { fromMs, untilMs, after, limit: query.limit + 1 - rows.length }));
      rows.push(...found);
      if (rows.length > query.limit) break;
      untilMs = fromMs;
    }
    const kept = rows.slice(0, query.limit);
    return { rows: kept, nextCursor: rows.length > query.limit ? encodeCursor((kept.at(-1) as UsageRow).id) : null };
  }

  async get(orgId: string, id: string): Promise<UsageRow | null> {
    const timeMs = idTimeMs(id);
    if (timeMs === null || !id.startsWith('req_')) {
      throw new AppError('invalid_request', { text: 'The id is malformed.', param: 'id' });
    }
    const rows = await this.#run({
      name: 'usage_get',
      text: `SELECT ${READ} FROM usage_events WHERE ts = $1 AND id = $2 AND org_id = $3 AND state <> 'slice'`,
      values: [new Date(timeMs), idUuid(id), orgId],
    });
    return rows[0] ?? null;
  }

  async #run({ name, text, values }: Statement): Promise<UsageRow[]> {
    const config: QueryConfig & { query_timeout: number } = {
      name,
      text,
      values: [...values],
      query_timeout: QUERY_MS,
    };
    try {
      const result: QueryResult<StoredRow> = await this.#pool.query(config);
      return result.rows.map(toRow);
    } catch (error) {
      throw new AppError('store_unavailable', { text: 'The log cannot be read right now.', cause: error });
    }
  }
}

interface Window {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly after: Keyset | null;
  readonly limit: number;
}

/** The statement of one page: its text depends only on which filters are used. */
function listing(query: UsageQuery, { fromMs, untilMs, after, limit }: Window): Statement {
  const last = after === null ? [new Date(untilMs), LAST_UUID] : [new Date(after.timeMs), idUuid(after.id)];
  const values: unknown[] = [query.orgId, new Date(fromMs), new Date(untilMs), ...last, limit];
  const conditions: string[] = [];
  const names: string[] = [];
  for (const [filter, condition] of Object.entries(CONDITIONS)) {
    const value = query[filter as keyof typeof CONDITIONS];
    if (value === undefined) continue;
    values.push(value);
    conditions.push(`AND ${condition.replaceAll('?', `$${values.length}`)}`);
    names.push(filter);
  }
  if (query.status !== undefined) {
    values.push(...query.status);
    conditions.push(`AND status BETWEEN $${values.length - 1} AND $${values.length}`);
    names.push('status');
  }
  return {
    name: ['usage_page', ...names].join('_'),
    text: `SELECT ${READ} FROM usage_events
      WHERE org_id = $1 AND state <> 'slice' AND ts >= $2 AND ts < $3 AND (ts, id) < ($4::timestamptz, $5::uuid) ${conditions.join(' ')}
      ORDER BY ts DESC, id DESC LIMIT $6`,
    values,
  };
}
