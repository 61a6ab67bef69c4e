import {
  ARCHIVE_TABLE,
  BODY_STREAM,
  DrainControl,
  keepPartitions,
  openPartitions,
  ROLLUP_TABLE,
  USAGE_TABLE,
} from '#libs/ledger/index.js';
import type { SmartflowConfig } from '#libs/platform/config.js';
import { createLogger, type Logger } from '#libs/platform/logger.js';
import { connectPostgres, type StoreUrls } from '#libs/stores/index.js';
import { archiveBodies } from './archive-bodies.js';
import { keepLedger } from './keep-ledger.js';
import { openReader } from './open-reader.js';
import { tellAlerts } from './tell-alerts.js';

/** A worker at work. */
export interface RunningWorker {
  /** Moves what the streams still hold, for at most a few seconds, then lets go of the stores. */
  stop(): Promise<void>;
}

/** What tests change. */
export interface WorkerOptions {
  readonly logger?: Logger;
  /** Entries of a worker that was silent for so long are taken over; default 10 s. */
  readonly deadAfterMs?: number;
}

const DRAIN_MS = 3000;
const LET_GO_MS = 2000;
const MAINTAIN_EVERY_MS = 3_600_000;
/** Bodies read at once: by number, and by their bytes at worst. */
const BODY_ENTRIES = 64;
const BODY_BYTES = 64 * 1024 * 1024;

/**
 * Starts the worker: rows of calls from Redis into the ledger, bodies into the archive, partitions made ahead and dropped.
 * Any number of workers share the work. Rejects when PostgreSQL or Redis cannot be reached at the start; from then on it
 * waits for a store that is away.
 */
export async function startWorker(
  config: SmartflowConfig,
  urls: StoreUrls,
  options: WorkerOptions = {},
): Promise<RunningWorker> {
  const { logger = createLogger({ level: config.boot.logLevel, name: 'worker' }), deadAfterMs = 10_000 } = options;
  const { archive, ledgerRetentionDays, reportRetentionDays } = config.live;
  const opened = new AsyncDisposableStack();
  try {
    const source = await connectPostgres(urls.postgresOwner, { poolSize: 6, applicationName: 'smartflow-worker' });
    opened.defer(() => source.destroy());
    await openPartitions(source, USAGE_TABLE);
    await openPartitions(source, ROLLUP_TABLE);
    await openPartitions(source, ARCHIVE_TABLE);
    const count = Math.max(1, Math.min(BODY_ENTRIES, Math.floor(BODY_BYTES / (2 * archive.maxBodyBytes + 1))));
    const bodies = await openReader(urls.redis, { stream: BODY_STREAM, count, deadAfterMs }, opened);

    const controls = [new DrainControl(), new DrainControl()] as const;
    const ledger = await keepLedger({ url: urls.redis, source, deadAfterMs, opened, logger });
    const work = Promise.all([
      ledger(controls[0]),
      archiveBodies(
        { reader: bodies, source, mongodb: urls.mongodb, retentionDays: archive.retentionDays, opened, logger },
        controls[1],
      ),
    ]);
    const maintain = (): void => {
      Promise.all([
        keepPartitions(source, USAGE_TABLE, ledgerRetentionDays, logger),
        keepPartitions(source, ROLLUP_TABLE, reportRetentionDays, logger),
        keepPartitions(source, ARCHIVE_TABLE, archive.retentionDays, logger),
      ]).catch((error: unknown) =>
        logger.warn({ err: error }, 'partitions could not be kept; next try within the hour'),
      );
    };
    maintain();
    const timer = setInterval(maintain, MAINTAIN_EVERY_MS);
    opened.defer(() => clearInterval(timer));
    await tellAlerts({ config, urls, source, logger, opened });
    logger.info({ archive: urls.mongodb === null ? 'PostgreSQL' : 'MongoDB' }, 'worker started');
    return { stop: () => stop(controls, work, opened) };
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

async function stop(
  controls: readonly DrainControl[],
  work: Promise<unknown>,
  opened: AsyncDisposableStack,
): Promise<void> {
  for (const control of controls) control.stop(DRAIN_MS);
  await within(work, DRAIN_MS + LET_GO_MS); // longer only where a store hangs: its connection is ended below
  await within(opened.disposeAsync(), LET_GO_MS);
}

async function within(work: Promise<unknown>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, limitMs)))]);
  clearTimeout(timer);
}
