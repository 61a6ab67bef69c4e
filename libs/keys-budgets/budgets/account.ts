import { BUDGET_MODES, type BudgetDefinition, MOST_NANOS } from './budget-definition.js';
import type { Period } from '#libs/platform/zoned-time.js';

/** Position of each mode in the script's language: 0 strict, 1 clamp, 2 soft. */
export const SOFT = BUDGET_MODES.indexOf('soft');
export const CLAMP = BUDGET_MODES.indexOf('clamp');

/** For so long after somebody was short of a budget no slices are taken of it. */
export const TIGHT_MS = 500;

/**
 * One budget in one period, as this process sees it. It owns a ceiling: all that this process may ever spend here.
 *
 * I2: `used + held ≤ ceiling`, and the ceiling is never above the one in Redis: it is lowered here before that is sent, and
 * raised after the answer. (Not for `soft` budgets, which refuse nothing: their ceiling follows.)
 */
export class Account {
  /** `<budget>|<period>` */
  readonly field: string;
  /** Its name never changes; its ends move with the budget's zone and week. */
  period: Period;
  budget: BudgetDefinition;
  mode: number;

  used = 0;
  held = 0;
  /** Wanted by requests under way to Redis: not to be taken by later ones. */
  waiting = 0;
  ceiling = 0;
  /** What all processes own together, by the last answer, and what of it others own. */
  total = 0;
  others = 0;

  /** How much more than `used + held` this process wishes to own. */
  slice = 0;
  lastUseMs = 0;
  lastRefillMs = -1e9;
  lastWant = 0;
  /** Single reservations until then: somebody is short. */
  tightUntilMs = 0;
  /** Memory of a refusal: until then nothing of at least `dryNeed` is asked for again. */
  dryUntilMs = 0;
  dryNeed = 0;
  /** The ceiling that the ledger's mirror has heard of. */
  mirrored = 0;
  isListedIdle = false;

  constructor(budget: BudgetDefinition, period: Period) {
    this.field = `${budget.id}|${period.name}`;
    this.period = period;
    this.budget = budget;
    this.mode = BUDGET_MODES.indexOf(budget.mode);
  }

  /** What may be given out without asking anybody. */
  get slack(): number {
    return this.ceiling - this.used - this.held - this.waiting;
  }

  get isSoft(): boolean {
    return this.mode === SOFT;
  }

  /** What is neither spent nor held by anybody, as far as this process knows; 0 when overdrawn. */
  get remaining(): number {
    return this.remainingAfter(0);
  }

  /** The same once `freedNanos` of what is held here are free again. */
  remainingAfter(freedNanos: number): number {
    return Math.max(0, this.budget.limitNanos - this.others - this.used - this.held + freedNanos);
  }

  /** Somebody was refused here: no slices for a while. */
  tighten(nowMs: number): void {
    this.tightUntilMs = nowMs + TIGHT_MS;
    this.slice = 0;
  }

  /**
   * The slack to ask for. A slice starts at four calls, doubles while it runs dry in less than 250 ms, and is at most 1/16
   * of what is free; idle, it shrinks to crumbs (recalled in milliseconds when somebody is short), then to nothing; near
   * the end of a budget, where it would not hold one call, there is none: single reservations.
   * (No bit shifts here: nano-dollars beyond $2.14 do not fit 32 bits.)
   */
  slackGoal(nowMs: number, parkMs: number): number {
    const free = this.isSoft ? MOST_NANOS : this.budget.limitNanos - this.total;
    const idleMs = nowMs - this.lastUseMs;
    if (this.budget.leased === false || nowMs < this.tightUntilMs || idleMs > parkMs) return (this.slice = 0);
    if (idleMs > 200) {
      this.slice = Math.floor(Math.min(this.slice, free / 64));
    } else if (this.slack * 4 < this.slice || this.slice === 0) {
      const gapMs = nowMs - this.lastRefillMs;
      let goal = this.lastWant * 4;
      if (this.slice > 0) goal = gapMs < 250 ? this.slice * 2 : gapMs > 2000 ? this.slice / 2 : this.slice;
      this.slice = Math.floor(Math.min(goal, free / 16));
      this.lastRefillMs = nowMs;
    }
    if (this.slice < this.lastWant) this.slice = 0;
    return this.slice;
  }
}
