import type { Logger } from '#libs/platform/logger.js';
import { decodeBodyEntry } from './body-entry.js';
import { backOff, type DrainControl } from './drain-control.js';
import type { ArchivePort, ArchiveRecord } from './store/archive.js';
import type { EntryReader, StreamEntry } from './store/entry-stream.js';

export interface BodyDrain {
  readonly reader: EntryReader;
  readonly archive: ArchivePort;
  readonly logger: Logger;
}

/**
 * Moves bodies from the stream into the archive until told to stop. The archive keeps a record once however often it is
 * sent. While the archive is away the stream fills up to its bound, and the gateways shed what comes after.
 */
export async function drainBodies({ reader, archive, logger }: BodyDrain, control: DrainControl): Promise<void> {
  while (control.goesOn()) {
    const entries = await backOff('reading bodies', logger, control, () => reader.next());
    if (entries === null) return;
    if (entries.length === 0) {
      control.idle();
      continue;
    }
    const decoded = await Promise.all(entries.map((entry) => decode(entry, logger)));
    const records = decoded.filter((record) => record !== null);
    const result = await backOff('archiving bodies', logger, control, () => archive.append(records));
    if (result === null) return;
    if (result.tooLarge.length > 0)
      logger.warn({ ids: result.tooLarge }, 'bodies are too large for the archive: dropped');
    await backOff('acknowledging bodies', logger, control, () => reader.done(entries));
  }
}

/** Bodies are best effort: what cannot be read is dropped with a log line, its ledger row stays. */
async function decode(entry: StreamEntry, logger: Logger): Promise<ArchiveRecord | null> {
  try {
    return await decodeBodyEntry(entry);
  } catch (error) {
    logger.error({ err: error, entry: entry.id }, 'an entry of the stream of bodies cannot be read: dropped');
    return null;
  }
}
