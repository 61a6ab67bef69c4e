import type { Clock } from '#libs/platform/clock.js';
import type { AlertOutbox } from './store/alert-outbox.js';
import { budgetAlert, unpricedAlert, type AlertedBudget, type UnpricedModel } from './texts.js';

/** A budget with the shares of its limit at which to warn; 1 is all of it. */
export interface WatchedBudget extends AlertedBudget {
  readonly warnAt: readonly number[];
}

/** What was charged to a budget in one period. */
export interface SpentInPeriod {
  readonly orgId: string;
  readonly budgetId: string;
  /** Name of the period, such as `m2026-11`. */
  readonly period: string;
  readonly spentNanos: bigint;
}

/** What was spent, from sums that are committed with the rows: nothing is told that the ledger does not say. */
export interface SpendSource {
  /** Of all budgets, in periods that may still grow. */
  spent(): Promise<readonly SpentInPeriod[]>;
  /** Calls without a price from a moment on. */
  unpricedSince(fromMs: number): Promise<readonly UnpricedModel[]>;
}

/** The budgets there are now. */
export interface BudgetDirectory {
  find(orgId: string, budgetId: string): WatchedBudget | null;
}

export interface SpendWatchParts {
  readonly spend: SpendSource;
  readonly budgets: () => Promise<BudgetDirectory>;
  readonly outbox: Pick<AlertOutbox, 'add'>;
  readonly clock: Clock;
}

const HOUR_MS = 3_600_000;
/** Late rows are of the last day; most are of this hour, and looking at a day costs more. */
const FAR_LOOK_MS = 24 * HOUR_MS;
const UNPRICED_EVERY_MS = 15_000;
/** Looking costs at most a twentieth of the time. */
const REST_FACTOR = 19;
const MOST_REMEMBERED = 50_000;

/**
 * Compares what was spent with what budgets warn at. It keeps nothing that matters: a worker that dies between rows and alert
 * leaves both to the next look, of any worker, and what was told already is recognised by the outbox.
 */
export class SpendWatch {
  readonly #parts: SpendWatchParts;
  /** Names of alerts that are in the outbox: they need not be offered again. */
  readonly #told = new Set<string>();
  #restUntilMs = 0;
  #unpricedAtMs = 0;
  #farAtMs = 0;

  constructor(parts: SpendWatchParts) {
    this.#parts = parts;
  }

  /** One look, unless the last one was so dear that it has to rest. Rejects when the store is away: look again later. */
  async look(): Promise<void> {
    const begunMs = performance.now();
    if (begunMs < this.#restUntilMs) return;
    const alerts = [...(await this.#budgetAlerts()), ...(await this.#unpricedAlerts(begunMs))];
    const names = new Map(alerts.map((alert) => [`${alert.orgId}\n${alert.dedupeKey}`, alert]));
    for (const name of this.#told) names.delete(name);
    await this.#parts.outbox.add([...names.values()]);
    if (this.#told.size + names.size > MOST_REMEMBERED) this.#told.clear();
    for (const name of names.keys()) this.#told.add(name);
    this.#restUntilMs = performance.now() + (performance.now() - begunMs) * REST_FACTOR;
  }

  async #budgetAlerts() {
    const spent = await this.#parts.spend.spent();
    if (spent.length === 0) return [];
    const [budgets, atMs] = [await this.#parts.budgets(), this.#parts.clock.now()];
    return spent.flatMap(({ orgId, budgetId, period, spentNanos }) => {
      const budget = budgets.find(orgId, budgetId);
      if (budget === null) return [];
      return [...new Set([...budget.warnAt, 1])]
        .filter((share) => Number(spentNanos) >= share * budget.limitNanos)
        .map((share) => budgetAlert(budget, share, { period, spentNanos, atMs }));
    });
  }

  async #unpricedAlerts(nowMs: number) {
    if (nowMs < this.#unpricedAtMs) return [];
    const isFar = nowMs >= this.#farAtMs;
    const atMs = this.#parts.clock.now();
    const models = await this.#parts.spend.unpricedSince(atMs - (isFar ? FAR_LOOK_MS : HOUR_MS));
    this.#unpricedAtMs = nowMs + UNPRICED_EVERY_MS;
    if (isFar) this.#farAtMs = nowMs + HOUR_MS;
    return models.map((model) => unpricedAlert(model, atMs));
  }
}
