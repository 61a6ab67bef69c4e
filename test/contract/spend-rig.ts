// What the contract suites of spend stand on: a ledger with its roll-ups, and made-up calls around the changes of the clocks.
import {
  openPartitions,
  PostgresRowWriter,
  PostgresSpendReports,
  ROLLUP_TABLE,
  USAGE_TABLE,
  type SpendDimension,
  type UsageEvent,
} from '#libs/ledger/index.js';
import { timePartitions } from '#libs/stores/index.js';
import { storesRig, usageEvent, uuidAt, type Source, type StoresRig } from './ledger-rig.js';
import { LedgerWriter } from './ledger-writer.js';

export class SpendRig {
  readonly source: Source;
  readonly writer: LedgerWriter;
  readonly rowWriter: PostgresRowWriter;
  readonly reports: PostgresSpendReports;

  private constructor(private readonly stores: StoresRig) {
    const { source } = stores;
    const partitions = timePartitions(source, 'usage_events', 'day');
    this.source = source;
    this.writer = new LedgerWriter(source, partitions);
    this.rowWriter = new PostgresRowWriter({ source, partitions });
    this.reports = new PostgresSpendReports(source);
  }

  static async start(): Promise<SpendRig> {
    const stores = await storesRig();
    await openPartitions(stores.source, USAGE_TABLE);
    await openPartitions(stores.source, ROLLUP_TABLE);
    return new SpendRig(stores);
  }

  async empty(): Promise<void> {
    await this.source.query('TRUNCATE usage_events, usage_rollups, usage_dimensions, usage_dimension_tags');
  }

  stop(): Promise<void> {
    return this.stores.stop();
  }
}

/** The same numbers between 0 and 1 for the same seed. */
export function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

const pick = <T>(random: () => number, list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
const nullable = [null, 'a', 'b|c', '=x', 'ü\n'] as const;

/** A call at some moment around the changes of the clocks, mostly within a few days. */
export function madeUp(random: () => number, changes: Partial<UsageEvent> = {}): UsageEvent {
  const around = pick(random, ['2026-03-29', '2026-10-25', '2026-11-01', '2026-11-20'].map(Date.parse));
  const timeMs = around + Math.floor((random() - 0.5) * 5 * 86_400_000);
  const key = pick(random, ['k1', 'k2', 'k3']);
  const hasUsage = random() < 0.8;
  return usageEvent({
    id: `req_${uuidAt(timeMs)}`,
    orgId: random() < 0.9 ? 'org_default' : 'org_other',
    team: pick(random, nullable),
    user: pick(random, nullable),
    app: pick(random, nullable),
    keyId: `key_${key}`,
    keyName: key,
    provider: pick(random, ['p1', 'p2']),
    model: pick(random, ['m1', 'm2', 'm"3']),
    tags: ['x', 'y', 'x', 'z'].filter(() => random() < 0.4),
    status: pick(random, [200, 200, 200, 429, 499]),
    error: pick(random, [null, null, null, 'client_gone', 'upstream_cut'] as const),
    priceVersion: random() < 0.7 ? 'v1' : null,
    usage: hasUsage
      ? { ...(usageEvent().usage as NonNullable<UsageEvent['usage']>), inputTokens: Math.floor(random() * 1e6) }
      : null,
    costNanos: Math.floor(random() * 1e10),
    ...changes,
  });
}

export const ALL = {
  fromMs: Date.parse('2026-01-01T00:00:00Z'),
  toMs: Date.parse('2027-01-01T00:00:00Z'),
  timeZone: 'UTC',
};

/** group → [calls, cost, input tokens, unpriced, unknown], as the reports say, page by page. */
export async function reported(
  reports: PostgresSpendReports,
  groupBy: readonly SpendDimension[],
  range: { fromMs: number; toMs: number; timeZone: string },
  limit = 1000,
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  let cursor: string | null = null;
  do {
    const page = await reports.page({
      ...range,
      orgId: 'org_default',
      groupBy,
      sort: limit % 2 === 0 ? 'cost' : 'group',
      limit,
      ...(cursor === null ? {} : { cursor }),
    });
    for (const row of page.rows) {
      const { calls, costNanos, inputTokens, unpricedCalls, unknownCalls } = row;
      if (found.has(JSON.stringify(row.groups))) throw new Error(`twice: ${JSON.stringify(row.groups)}`);
      found.set(JSON.stringify(row.groups), [calls, costNanos, inputTokens, unpricedCalls, unknownCalls].join(' '));
    }
    cursor = page.nextCursor;
  } while (cursor !== null);
  return found;
}
