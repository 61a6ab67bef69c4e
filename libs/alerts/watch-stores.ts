import type { Clock } from '#libs/platform/clock.js';
import type { AlertOutbox } from './store/alert-outbox.js';
import { storeAlert, type StoreOutage } from './texts.js';

export interface StoreWatchParts {
  /** One state per store in use; never rejects. */
  readonly check: () => Promise<
    Readonly<Record<string, { readonly state: 'up' | 'down'; readonly reason: string | null }>>
  >;
  readonly outbox: Pick<AlertOutbox, 'add'>;
  readonly clock: Clock;
  /** Who is told. */
  readonly orgIds: readonly string[];
  /** A shorter absence is nobody's business: fail-over, a restart; default 30 s. */
  readonly graceMs?: number;
}

interface Outage {
  readonly sinceMs: number;
  readonly reason: string | null;
  isTold: boolean;
}

/** Absences that could not be told yet; the oldest are forgotten, a new one comes at most every half minute per store. */
const MOST_UNTOLD = 100;

/**
 * Tells of stores that are away for longer than the grace. What cannot be told, since the outbox is in the store that is away,
 * is told when that is back; it is in this process's memory until then.
 */
export class StoreWatch {
  readonly #parts: StoreWatchParts;
  readonly #outages = new Map<string, Outage>();
  #untold: StoreOutage[] = [];

  constructor(parts: StoreWatchParts) {
    this.#parts = parts;
  }

  /** One look. Rejects when what there is to tell cannot be kept: it is offered again at the next one. */
  async look(): Promise<void> {
    const { check, clock, graceMs = 30_000 } = this.#parts;
    const states = await check();
    const nowMs = clock.now();
    const away: StoreOutage[] = [];
    for (const [store, { state, reason }] of Object.entries(states)) {
      const outage = this.#outages.get(store);
      if (state === 'down') {
        if (outage === undefined) this.#outages.set(store, { sinceMs: nowMs, reason, isTold: false });
        else if (!outage.isTold && nowMs - outage.sinceMs >= graceMs) {
          away.push({ store, reason: outage.reason, sinceMs: outage.sinceMs, untilMs: null });
        }
      } else if (outage !== undefined) {
        this.#outages.delete(store);
        if (!outage.isTold && nowMs - outage.sinceMs >= graceMs) {
          this.#untold.push({ store, reason: outage.reason, sinceMs: outage.sinceMs, untilMs: nowMs });
        }
      }
    }
    this.#untold = this.#untold.slice(-MOST_UNTOLD);
    const told = [...this.#untold, ...away];
    if (told.length === 0) return;
    await this.#parts.outbox.add(
      told.flatMap((outage) => this.#parts.orgIds.map((orgId) => storeAlert(orgId, outage, nowMs))),
    );
    this.#untold = [];
    for (const { store } of away) (this.#outages.get(store) as Outage).isTold = true;
  }
}
