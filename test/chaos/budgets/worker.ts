// The worker of the proof: the product's row drain.
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DrainControl,
  drainRows,
  openPartitions,
  PostgresBudgetLedger,
  PostgresRowWriter,
  RedisEntryReader,
  RedisRowAcks,
  USAGE_TABLE,
  WORKER_GROUP,
} from '#libs/ledger/index.js';
import { createLogger } from '#libs/platform/logger.js';
import { Secret } from '#libs/platform/secret.js';
import { connectPostgres, createRedis, ROW_STREAM, timePartitions } from '#libs/stores/index.js';
import { PatientKeeper } from './patient-keeper.js';
import type { WorkerSettings } from './settings.js';

const settings = JSON.parse(process.env['CHAOS'] ?? '') as WorkerSettings;
const logger = createLogger({ level: process.env['CHAOS_VERBOSE'] === '1' ? 'info' : 'error', name: 'worker' });
const url = new Secret(settings.redisUrl);
const redis = createRedis(url, 'background');
const blocking = createRedis(url, 'blocking');
process.on('disconnect', () => process.exit(1));

for (;;) {
  try {
    const source = await connectPostgres(new Secret(settings.postgresUrl), {
      poolSize: 4,
      applicationName: 'chaos-worker',
    });
    await openPartitions(source, USAGE_TABLE);
    const reader = new RedisEntryReader({
      blocking,
      redis,
      stream: ROW_STREAM,
      group: WORKER_GROUP,
      consumer: 'worker',
      count: 64,
      waitMs: 200,
      deadAfterMs: 500,
    });
    const writer = new PostgresRowWriter({
      source,
      partitions: timePartitions(source, USAGE_TABLE.name, USAGE_TABLE.period),
    });
    const ledger = new PostgresBudgetLedger({ source, redis, logger });
    const keeper = settings.doubleFailure ? ledger : new PatientKeeper(ledger, source, redis, settings.spoolRoot);
    const acks = new RedisRowAcks(redis);
    const { ttlMs, lostAfterMs } = settings;
    await drainRows(
      { reader, writer, acks, keeper, logger, ttlMs, lostAfterMs, sweepEveryMs: 2000 },
      new DrainControl(),
    );
  } catch {
    await sleep(200); // PostgreSQL is away
  }
}
