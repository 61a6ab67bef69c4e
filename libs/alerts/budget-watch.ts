import type { Clock } from '#libs/platform/clock.js';
import { periodAt, type Period } from '#libs/platform/zoned-time.js';
import type { Alert } from './alert.js';
import type { AlertOutbox } from './store/alert-outbox.js';
import { exhaustedAlert, thresholdAlert, unpricedAlert, type AlertedBudget } from './texts.js';

/** A budget with what watching it needs. */
export interface WatchedBudget extends AlertedBudget {
  /** Id of the key, name of the user, team, app or tag; the organisation's id. */
  readonly owner: string;
  readonly timeZone: string;
  /** 1 Monday … 7 Sunday. */
  readonly weekStart: number;
  /** Shares of the limit at which to warn, ascending. */
  readonly warnAt: readonly number[];
}

/** A call that was booked, as far as it says whose money it was. */
export interface BookedCall {
  readonly orgId: string;
  readonly keyId: string;
  readonly team: string | null;
  readonly user: string | null;
  readonly app: string | null;
  readonly tags: readonly string[];
  readonly atMs: number;
  /** It had usage but no price. */
  readonly isUnpriced: boolean;
}

/** What was spent; from sums that move with the rows. */
export interface SpendSource {
  spentNanos(budget: WatchedBudget, period: Period): Promise<bigint>;
  /** Models without a price that were called from a moment on. */
  unpricedSince(fromMs: number): Promise<readonly { orgId: string; provider: string; model: string; calls: number }[]>;
}

export interface BudgetWatchParts {
  readonly budgets: () => readonly WatchedBudget[];
  readonly spend: SpendSource;
  readonly outbox: Pick<AlertOutbox, 'add'>;
  readonly clock: Clock;
}

/** At the start everything of the last day is looked at: a worker may have died between rows and alerts. */
const LOOK_BACK_MS = 24 * 3_600_000;
/** Looking costs at most a twentieth of the time. */
const REST_FACTOR = 19;

/**
 * Compares what was spent with the budgets, after rows were booked: stateless but for what it need not look at again, so
 * that nothing is forgotten by dying. What was told already is recognised by the outbox.
 */
export class BudgetWatch {
  readonly #parts: BudgetWatchParts;
  /** Names of the budgets' owners that spent; `null`: look at all. */
  #touched: Set<string> | null = null;
  #unpricedFromMs: number | null;
  #told = new Map<string, string>();
  #restUntilMs = 0;

  constructor(parts: BudgetWatchParts) {
    this.#parts = parts;
    this.#unpricedFromMs = parts.clock.now() - LOOK_BACK_MS;
  }

  /** Calls were booked. Cheap: remembers whose budgets to look at. */
  note(calls: readonly BookedCall[]): void {
    for (const call of calls) {
      if (this.#touched !== null) for (const owner of ownersOf(call)) this.#touched.add(owner);
      if (call.isUnpriced) this.#unpricedFromMs = Math.min(this.#unpricedFromMs ?? Infinity, call.atMs);
    }
  }

  /** Looks at what was touched and raises what there is to tell. Rejects when the store is away: look again later. */
  async look(): Promise<void> {
    if (performance.now() < this.#restUntilMs) return;
    const begunMs = performance.now();
    const touched = this.#touched;
    const unpricedFromMs = this.#unpricedFromMs;
    this.#touched = new Set();
    this.#unpricedFromMs = null;
    try {
      const alerts = [...(await this.#budgetAlerts(touched)), ...(await this.#unpricedAlerts(unpricedFromMs))];
      const fresh = alerts.filter(({ orgId, dedupeKey }) => !this.#told.has(`${orgId}\n${dedupeKey}`));
      await this.#parts.outbox.add(fresh);
      if (this.#told.size + fresh.length > 50_000) this.#told.clear();
      for (const { orgId, dedupeKey } of fresh) this.#told.set(`${orgId}\n${dedupeKey}`, '');
    } catch (error) {
      if (this.#touched !== null && touched !== null) for (const owner of touched) this.#touched.add(owner);
      else this.#touched = null;
      if (unpricedFromMs !== null) this.#unpricedFromMs = Math.min(this.#unpricedFromMs ?? Infinity, unpricedFromMs);
      throw error;
    }
    this.#restUntilMs = performance.now() + (performance.now() - begunMs) * REST_FACTOR;
  }

  async #budgetAlerts(touched: ReadonlySet<string> | null): Promise<Alert[]> {
    const nowMs = this.#parts.clock.now();
    const alerts: Alert[] = [];
    for (const budget of this.#parts.budgets()) {
      if (touched !== null && !touched.has(ownerName(budget.orgId, budget.scope, budget.owner))) continue;
      const { period: kind, timeZone, weekStart } = budget;
      const period = periodAt({ kind, timeZone, weekStart }, nowMs);
      const spentNanos = await this.#parts.spend.spentNanos(budget, period);
      const moment = { period: period.name, spentNanos, atMs: nowMs };
      const reached = (share: number): boolean => Number(spentNanos) >= share * budget.limitNanos && spentNanos > 0n;
      for (const share of budget.warnAt) if (reached(share)) alerts.push(thresholdAlert(budget, share, moment));
      if (reached(1)) alerts.push(exhaustedAlert(budget, moment));
    }
    return alerts;
  }

  async #unpricedAlerts(fromMs: number | null): Promise<Alert[]> {
    if (fromMs === null) return [];
    const atMs = this.#parts.clock.now();
    return (await this.#parts.spend.unpricedSince(fromMs)).map((model) => unpricedAlert({ ...model, atMs }));
  }
}

function ownersOf({ orgId, keyId, team, user, app, tags }: BookedCall): string[] {
  const names = [ownerName(orgId, 'org', orgId), ownerName(orgId, 'key', keyId)];
  for (const [scope, name] of Object.entries({ team, user, app })) {
    if (name !== null) names.push(ownerName(orgId, scope, name));
  }
  return [...names, ...tags.map((tag) => ownerName(orgId, 'tag', tag))];
}

const ownerName = (orgId: string, scope: string, owner: string): string => `${orgId}\n${scope}\n${owner}`;
