import type { Logger } from '#libs/platform/logger.js';
import { backOff, type DrainControl } from './drain-control.js';
import type { KeyUseNotes } from './key-use.js';
import { parseUsageBatch, type ParsedBatch } from './parse-usage-event.js';
import type { EntryReader, StreamEntry } from './store/entry-stream.js';
import type { UsageWriter } from './store/usage-ledger.js';

export interface UsageDrain {
  readonly reader: EntryReader;
  readonly writer: UsageWriter;
  readonly keyUse: KeyUseNotes;
  readonly logger: Logger;
}

/**
 * Moves usage events from the stream into the ledger until told to stop: read → one committed insert → take out of the
 * stream. A process killed in between leaves the entries in the stream; the row id makes the second insert harmless, so
 * every event becomes exactly one row (KEY-6). A store that is away is tried again for ever; what can never be stored
 * goes to the dead letters and holds nobody up.
 */
export async function drainUsage({ reader, writer, keyUse, logger }: UsageDrain, control: DrainControl): Promise<void> {
  while (control.goesOn()) {
    const entries = await backOff('reading usage events', logger, control, () => reader.next());
    if (entries === null) return;
    if (entries.length === 0) {
      control.idle();
      continue;
    }
    const batch = parse(entries);
    const result = await backOff('writing usage events', logger, control, () => writer.insert(batch.events));
    if (result === null) return;
    const refused = [
      ...batch.refused,
      ...result.refused.map(({ event, reason }) => ({ payload: JSON.stringify(event), reason })),
    ];
    for (const { payload, reason } of refused) {
      logger.error({ reason, bytes: payload.length }, 'a usage event cannot be stored: moved to the dead letters');
      await backOff('burying a usage event', logger, control, () => reader.bury(Buffer.from(payload), reason));
    }
    // Only for people to look at: it holds nothing up.
    await keyUse
      .note(batch.events)
      .catch((error: unknown) => logger.warn({ err: error }, 'the last use of keys could not be noted'));
    await backOff('acknowledging usage events', logger, control, () => reader.done(entries));
  }
}

function parse(entries: readonly StreamEntry[]): ParsedBatch {
  const batches = entries.map((entry) => {
    const body = entry.fields.get('b');
    if (body !== undefined) return parseUsageBatch(body.toString());
    const payload = JSON.stringify([...entry.fields].map(([name, value]) => [name, value.toString()]));
    return { events: [], refused: [{ payload, reason: 'the entry has no field "b"' }] };
  });
  return { events: batches.flatMap((b) => b.events), refused: batches.flatMap((b) => b.refused) };
}
