import {
  ARCHIVE_TABLE,
  backOff,
  drainBodies,
  LOG_FACETS,
  MongoArchive,
  PostgresArchive,
  type ArchivePort,
  type DrainControl,
  type EntryReader,
} from '#libs/ledger/index.js';
import type { Logger } from '#libs/platform/logger.js';
import type { Secret } from '#libs/platform/secret.js';
import { connectMongo, timePartitions, type connectPostgres } from '#libs/stores/index.js';

export interface BodyWork {
  readonly reader: EntryReader;
  readonly source: Awaited<ReturnType<typeof connectPostgres>>;
  /** `null`: the archive is in PostgreSQL, whose partitions are kept with the ledger's. */
  readonly mongodb: Secret | null;
  readonly retentionDays: number;
  readonly opened: AsyncDisposableStack;
  readonly logger: Logger;
}

const DAY_MS = 86_400_000;
const PURGE_EVERY_MS = 3_600_000;

/** Drains bodies into the configured archive; a MongoDB that is away is waited for and holds up nothing but bodies. */
export async function archiveBodies(work: BodyWork, control: DrainControl): Promise<void> {
  const { reader, logger } = work;
  const archive = await openArchive(work, control);
  if (archive !== null) await drainBodies({ reader, archive, logger }, control);
}

async function openArchive(
  { source, mongodb, retentionDays, opened, logger }: BodyWork,
  control: DrainControl,
): Promise<ArchivePort | null> {
  if (mongodb === null) {
    return new PostgresArchive(source, LOG_FACETS, timePartitions(source, ARCHIVE_TABLE.name, ARCHIVE_TABLE.period));
  }
  const connection = await backOff('connecting to MongoDB', logger, control, () => connectMongo(mongodb));
  if (connection === null) return null;
  if (opened.disposed) {
    await connection.close();
    return null;
  }
  opened.defer(() => connection.close());
  const archive = new MongoArchive(connection, LOG_FACETS);
  const purge = (): void => {
    archive
      .purgeBefore(Date.now() - retentionDays * DAY_MS)
      .catch((error: unknown) =>
        logger.warn({ err: error }, 'the archive could not be purged; next try within the hour'),
      );
  };
  purge();
  const timer = setInterval(purge, PURGE_EVERY_MS);
  opened.defer(() => clearInterval(timer));
  return archive;
}
