import type { BudgetCounters } from './budget-counters.js';
import type { Spool } from './spool.js';

export interface ShipperOptions {
  readonly processId: string;
  readonly spool: Spool;
  readonly counters: BudgetCounters;
  /** What may be in the stream and not committed: bounds what a process keeps in Redis while the worker is away. */
  readonly windowBytes: number;
}

const SHIP_EVERY_MS = 18; // called every 20 ms
const ASK_EVERY_MS = 200;
/** Without progress for so long what was shipped is shipped again; doubles up to the longest. */
const STALLED_MS = 10_000;
const LONGEST_STALL_MS = 300_000;

/**
 * Sends finished rows from the spool to the stream, one batch under way at a time. A batch without an answer is sent again
 * from the disk: the ledger takes each row once, so copies do no harm, and offsets show it any gap. The script tells when
 * the stream's server has begun another life; then everything not committed is sent again.
 */
export class RowShipper {
  readonly #options: ShipperOptions;
  #isBusy = false;
  #run = '';
  #lastShipMs = -1e9;
  #lastAckMs = 0;
  #stallMs = STALLED_MS;

  constructor(options: ShipperOptions) {
    this.#options = options;
  }

  /** Sends what is due. */
  tick(nowMs: number): void {
    if (this.#isBusy || nowMs - this.#lastShipMs < SHIP_EVERY_MS) return;
    const { spool, windowBytes, processId } = this.#options;
    const inFlightBytes = spool.shipped - spool.acked;
    if (inFlightBytes <= 0) this.#lastAckMs = nowMs;
    else if (nowMs - this.#lastAckMs > this.#stallMs) this.#shipAgain(nowMs);
    const isKnown = this.#run !== ''; // the first message only learns the server's life: rows stay in memory meanwhile
    const hasRows = isKnown && spool.hasUnshipped && inFlightBytes < windowBytes;
    const asks = inFlightBytes > 0 && nowMs - this.#lastShipMs > ASK_EVERY_MS;
    if (isKnown && !hasRows && !asks) return;
    this.#lastShipMs = nowMs;
    this.#isBusy = true;
    const batch = hasRows ? spool.next() : { from: spool.shipped, to: spool.shipped, rows: '' };
    this.#options.counters
      .ship({ run: this.#run, processId, ...batch })
      .then((reply) => {
        if (reply.status === 'OK') {
          if (hasRows) spool.confirm(batch.to);
          this.#acknowledged(reply.acked, nowMs);
          return;
        }
        this.#run = reply.run;
        if (hasRows || spool.shipped > spool.acked) spool.resend(spool.acked);
      })
      .catch(() => {
        if (hasRows) spool.resend();
      })
      .finally(() => (this.#isBusy = false));
  }

  #acknowledged(acked: number, nowMs: number): void {
    if (acked <= this.#options.spool.acked) return;
    this.#options.spool.trim(acked);
    this.#lastAckMs = nowMs;
    this.#stallMs = STALLED_MS;
  }

  /** An entry was lost without the server's knowledge, or committed out of order by two workers: a gap stays for ever. */
  #shipAgain(nowMs: number): void {
    this.#lastAckMs = nowMs;
    this.#stallMs = Math.min(this.#stallMs * 2, LONGEST_STALL_MS);
    this.#options.spool.resend(this.#options.spool.acked);
  }
}
