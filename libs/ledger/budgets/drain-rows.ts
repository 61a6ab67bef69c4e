import type { Logger } from '#libs/platform/logger.js';
import { backOff, type DrainControl } from '../drain-control.js';
import type { EntryReader } from '../store/entry-stream.js';
import type { UsageEvent } from '../usage-event.js';
import type { LedgerRow } from './ledger-row.js';
import { parseRowBatch, type Refused, type RowBatch } from './row-batch.js';

/** Writes batches into the ledger. */
export interface RowWriter {
  commit(batches: readonly RowBatch[]): Promise<{
    readonly acked: ReadonlyMap<string, number>;
    readonly late: ReadonlySet<string>;
    readonly unfit: readonly { readonly row: LedgerRow; readonly reason: string }[];
  }>;
}

/** Notes when keys were used; behind the rows, holds nothing up. */
export interface KeyUseNoter {
  note(events: Iterable<UsageEvent>): Promise<void>;
}

export interface RowAcks {
  tell(acked: ReadonlyMap<string, number>): Promise<void>;
  /** When the oldest batch still on its way was shipped, ms since 1970; Infinity when there is none. */
  oldestMs(): Promise<number>;
}

/** The operations of the budget ledger that the worker begins. */
export interface LedgerKeeper {
  organisations(): Promise<readonly string[]>;
  refold(orgId: string): Promise<void>;
  closeLost(
    orgId: string,
    patience: { readonly ttlMs: number; readonly lostAfterMs: number; readonly committedToMs: number },
  ): Promise<readonly { readonly processId: string; readonly heldBy: 'counters' | 'mirror' }[]>;
  sweep(orgId: string): Promise<void>;
}

export interface RowDrain {
  /** Of the stream `ROW_STREAM`. */
  readonly reader: EntryReader;
  readonly writer: RowWriter;
  readonly acks: RowAcks;
  readonly keeper: LedgerKeeper;
  readonly keyUse?: KeyUseNoter;
  readonly logger: Logger;
  /** Length of a process's lease, as the gateways have it; default 10 s. */
  readonly ttlMs?: number;
  /** A process that is silent for so long beyond its lease, and whose spool nobody brought, counts as lost; default 10 min. */
  readonly lostAfterMs?: number;
  readonly sweepEveryMs?: number;
}

const LOOK_EVERY_MS = 1000;

/**
 * Moves finished rows from the stream into the ledger until told to stop: commit first, then tell the processes how far they
 * are safe, then take the entries out of the stream. Killed anywhere in between, the entries come again and change nothing.
 * Every second it looks for processes that are lost: silent for long, and all they ever shipped is committed.
 */
export async function drainRows(drain: RowDrain, control: DrainControl): Promise<void> {
  const { reader, writer, acks, keeper, logger } = drain;
  const upkeep = new Upkeep(drain);
  /** Sums of closed processes that a former life of this worker may have left behind. */
  let late = new Set(await orEmpty(() => keeper.organisations()));
  while (control.goesOn()) {
    if (late.size > 0) late = await refold(late, keeper, logger);
    const entries = await backOff('reading rows', logger, control, () => reader.next());
    if (entries === null) return;
    await upkeep.look();
    if (entries.length === 0) {
      control.idle();
      continue;
    }
    const parsed = entries.map(parseRowBatch);
    const batches = parsed.map(({ batch }) => batch).filter((batch) => batch !== null);
    const committed = await backOff('writing rows', logger, control, () => writer.commit(batches));
    if (committed === null) return;
    for (const orgId of committed.late) late.add(orgId);
    const unfit = committed.unfit.map(({ row, reason }) => ({ payload: JSON.stringify(row), reason }));
    await bury([...parsed.flatMap(({ refused }) => refused), ...unfit], drain, control);
    await noteUse(batches, drain);
    await backOff('acknowledging rows', logger, control, async () => {
      await acks.tell(committed.acked);
      await reader.done(entries);
    });
  }
}

async function refold(orgIds: ReadonlySet<string>, keeper: LedgerKeeper, logger: Logger): Promise<Set<string>> {
  const left = new Set<string>();
  for (const orgId of orgIds) {
    try {
      await keeper.refold(orgId);
    } catch (error) {
      left.add(orgId); // its totals read too low until the next try: its own rows came after its end
      logger.warn({ err: error, orgId }, 'sums of closed processes could not be set, trying again');
    }
  }
  return left;
}

async function bury(refused: readonly Refused[], { reader, logger }: RowDrain, control: DrainControl): Promise<void> {
  for (const { payload, reason } of refused) {
    logger.error({ reason, bytes: payload.length }, 'a row cannot be stored: moved to the dead letters');
    await backOff('burying a row', logger, control, () => reader.bury(Buffer.from(payload), reason));
  }
}

/** Only for people to look at: a failure is logged, the next call of the key is noted. */
async function noteUse(batches: readonly RowBatch[], { keyUse, logger }: RowDrain): Promise<void> {
  try {
    await keyUse?.note(batches.flatMap(({ rows }) => rows.map(({ event }) => event)));
  } catch (error) {
    logger.warn({ err: error }, 'the last use of keys could not be noted');
  }
}

async function orEmpty<T>(read: () => Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await read();
  } catch {
    return [];
  }
}

/** What is due now and then. A failure is logged once and tried again. */
class Upkeep {
  readonly #drain: RowDrain;
  #nextLookMs = 0;
  #nextSweepMs = 0;
  #failed = false;

  constructor(drain: RowDrain) {
    this.#drain = drain;
  }

  async look(): Promise<void> {
    const { keeper, acks, logger, ttlMs = 10_000, lostAfterMs = 600_000, sweepEveryMs = 3_600_000 } = this.#drain;
    const nowMs = performance.now();
    if (nowMs < this.#nextLookMs) return;
    this.#nextLookMs = nowMs + LOOK_EVERY_MS;
    const isSweeping = nowMs >= this.#nextSweepMs;
    try {
      const committedToMs = await acks.oldestMs();
      for (const orgId of await keeper.organisations()) {
        for (const { processId, heldBy } of await keeper.closeLost(orgId, { ttlMs, lostAfterMs, committedToMs })) {
          logger.error(
            { orgId, processId, heldBy },
            'a process is lost with its disk: what it held stays booked until its spool returns',
          );
        }
        if (isSweeping) await keeper.sweep(orgId);
      }
      if (isSweeping) this.#nextSweepMs = nowMs + sweepEveryMs;
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) logger.warn({ err: error }, 'the upkeep of the budgets failed, trying again');
      this.#failed = true;
    }
  }
}
