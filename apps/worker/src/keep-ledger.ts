import {
  drainRows,
  KeyUseNotes,
  PostgresBudgetLedger,
  PostgresKeyUse,
  PostgresRowWriter,
  RedisRowAcks,
  USAGE_TABLE,
  type DrainControl,
} from '#libs/ledger/index.js';
import type { Logger } from '#libs/platform/logger.js';
import type { Secret } from '#libs/platform/secret.js';
import { createRedis, redisReady, ROW_STREAM, timePartitions, type connectPostgres } from '#libs/stores/index.js';
import { openReader } from './open-reader.js';

export interface LedgerWork {
  readonly url: Secret;
  /** Connected as the owner of the tables. */
  readonly source: Awaited<ReturnType<typeof connectPostgres>>;
  readonly deadAfterMs: number;
  readonly opened: AsyncDisposableStack;
  readonly logger: Logger;
}

/** Entries read at once: each is what one process finished in 20 ms. */
const ROW_ENTRIES = 64;

/**
 * What keeps the ledger: rows of calls into `usage_events` and the budgets' sums, lost processes booked, old counters swept.
 * Answers the drain, ready to run. Rejects when Redis cannot be reached.
 */
export async function keepLedger({
  url,
  source,
  deadAfterMs,
  opened,
  logger,
}: LedgerWork): Promise<(control: DrainControl) => Promise<void>> {
  const reader = await openReader(url, { stream: ROW_STREAM, count: ROW_ENTRIES, deadAfterMs }, opened);
  const redis = createRedis(url, 'background');
  opened.defer(() => redis.disconnect());
  await redisReady(redis, url);
  const partitions = timePartitions(source, USAGE_TABLE.name, USAGE_TABLE.period);
  const drain = {
    reader,
    writer: new PostgresRowWriter({ source, partitions }),
    acks: new RedisRowAcks(redis),
    keeper: new PostgresBudgetLedger({ source, redis, logger: logger.child({ part: 'budgets' }) }),
    keyUse: new KeyUseNotes(new PostgresKeyUse(source)),
    logger,
  };
  return (control) => drainRows(drain, control);
}
