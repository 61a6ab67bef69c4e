import type { Logger } from '#libs/platform/logger.js';
import { counter } from '#libs/platform/metrics.js';
import type { Alert } from './alert.js';
import type { AlertOutbox } from './store/alert-outbox.js';

const MOST_WAITING = 1000;
/** Alerts told lately are not sent to the store again: an exhausted budget refuses many calls. */
const MOST_REMEMBERED = 5000;
const FLUSH_MS = 250;
const LONGEST_PAUSE_MS = 5000;

const dropped = counter('smartflow_alerts_dropped_total', 'Alerts lost because too many waited for PostgreSQL', [
  'kind',
]);

/**
 * Alerts on their way from the hot path to the outbox: taken without waiting, written a quarter of a second later. Bounded;
 * when full the alert is dropped and counted. (Thresholds, prices and stores are the worker's, which finds them again.)
 */
export class AlertQueue {
  readonly #outbox: Pick<AlertOutbox, 'add'>;
  readonly #logger: Logger;
  #waiting: Alert[] = [];
  #told = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #sending: Promise<void> | null = null;
  #failures = 0;
  #closed = false;

  constructor(outbox: Pick<AlertOutbox, 'add'>, logger: Logger) {
    this.#outbox = outbox;
    this.#logger = logger;
  }

  /** Never throws, never waits. */
  raise(alert: Alert): void {
    const name = `${alert.orgId}\n${alert.dedupeKey}`;
    if (this.#closed || this.#told.has(name)) return;
    if (this.#waiting.length >= MOST_WAITING) {
      dropped.inc({ kind: alert.kind });
      return;
    }
    if (this.#told.size >= MOST_REMEMBERED) this.#told.clear();
    this.#told.add(name);
    this.#waiting.push(alert);
    this.#schedule(FLUSH_MS);
  }

  /** Takes no more, tries once to write what waits. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#sending;
    if (this.#waiting.length > 0) await this.#send();
  }

  #schedule(afterMs: number): void {
    if (this.#timer !== null || this.#sending !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#sending = this.#send().finally(() => {
        this.#sending = null;
        if (this.#waiting.length > 0 && !this.#closed)
          this.#schedule(this.#failures === 0 ? FLUSH_MS : Math.min(LONGEST_PAUSE_MS, FLUSH_MS * 2 ** this.#failures));
      });
    }, afterMs);
    this.#timer.unref();
  }

  async #send(): Promise<void> {
    const batch = this.#waiting;
    this.#waiting = [];
    try {
      await this.#outbox.add(batch);
      this.#failures = 0;
    } catch (error) {
      if (this.#failures++ === 0) this.#logger.warn({ err: error, alerts: batch.length }, 'alerts wait in memory');
      this.#waiting = [...batch, ...this.#waiting];
    }
  }
}
