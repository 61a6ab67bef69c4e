import { Account } from './account.js';
import type { BudgetDefinition } from './budget-definition.js';
import type { Period } from '#libs/platform/zoned-time.js';

const IDLE_MS = 200;
/** Accounts of ended periods are forgotten after this; later than any call can end. */
const ENDED_GRACE_MS = 2 * 86_400_000;
const REFILL_PAUSE_MS = 10;

/** All accounts of one organisation in this process, and which of them have something to tell. */
export class AccountBook {
  /** Accounts whose truth Redis should hear; `wake` has been called for each. */
  readonly touched = new Set<Account>();
  readonly #accounts = new Map<string, Account>();
  readonly #idle = new Set<Account>();
  /** Ceilings that the ledger's mirror has not heard of. */
  readonly #moved = new Set<Account>();
  readonly #wake: () => void;

  /** @param wake something is to be told at the end of this turn */
  constructor(wake: () => void) {
    this.#wake = wake;
  }

  /** The account of a budget and period; a changed limit, mode, zone or week start holds from here on. */
  of(budget: BudgetDefinition, period: Period): Account {
    const fresh = new Account(budget, period);
    const account = this.#accounts.get(fresh.field);
    if (account === undefined) {
      this.#accounts.set(fresh.field, fresh);
      return fresh;
    }
    if (budget.limitNanos < account.budget.limitNanos && account.slack > 0) {
      account.slice = 0; // cut anew, from what is free below the lower limit
      this.touch(account);
    }
    account.budget = budget;
    account.period = period;
    account.mode = fresh.mode;
    return account;
  }

  touch(account: Account): void {
    this.touched.add(account);
    this.#wake();
  }

  /** I2: takes the amount from every account's slack, or from none. (`soft` accounts refuse nothing.) */
  take(accounts: readonly Account[], amount: number, nowMs: number): boolean {
    for (const account of accounts) if (account.slack < amount && !account.isSoft) return false;
    for (const account of accounts) {
      account.held += amount;
      account.lastUseMs = nowMs;
      if (account.isSoft) account.lastWant = amount;
      const isLow = account.slack * 4 < account.slice && nowMs - account.lastRefillMs > REFILL_PAUSE_MS;
      if (isLow || account.slack < 0) this.touch(account);
    }
    return true;
  }

  /** What was held for a call is spent or free again; the ceiling follows a cost above the bound, even over the limit. */
  release(accounts: readonly Account[], held: number, spent: number): void {
    for (const account of accounts) {
      account.held -= held;
      account.used += spent;
      if (account.used + account.held > account.ceiling) this.touch(account);
      this.watch(account);
    }
  }

  /** Its slack may lie idle from now on. */
  watch(account: Account): void {
    if (account.isListedIdle || account.slack <= 0) return;
    account.isListedIdle = true;
    this.#idle.add(account);
  }

  /** After an answer of Redis. */
  moved(account: Account): void {
    this.watch(account);
    if (account.mirrored !== account.ceiling) this.#moved.add(account);
  }

  /** Touches accounts whose slack has lain idle: for long all of it goes back, before that what is more than crumbs. */
  lookForIdle(nowMs: number, parkMs: number): void {
    for (const account of this.#idle) {
      const idleMs = nowMs - account.lastUseMs;
      const isGone = idleMs > parkMs || account.slack <= 0;
      if (isGone) {
        this.#idle.delete(account);
        account.isListedIdle = false;
      }
      const isMuch = idleMs > IDLE_MS && account.slack * 64 > account.budget.limitNanos - account.total;
      if (account.slack > 0 && (isGone || isMuch)) this.touched.add(account);
    }
  }

  /** Somebody is short: idle slack goes back at once, and for a while nobody takes slices. */
  recall(field: string, nowMs: number): void {
    const account = this.#accounts.get(field);
    if (account === undefined) return;
    account.tighten(nowMs);
    if (account.slack > 0) this.touch(account);
  }

  /** Gives back all slack, for good. */
  giveBack(): void {
    for (const account of this.#accounts.values()) {
      account.tightUntilMs = Infinity;
      if (account.slack > 0) this.touched.add(account);
    }
  }

  /** What this process owns, whatever the limits. */
  ceilings(): (readonly [field: string, nanos: number])[] {
    return [...this.#accounts.values()]
      .map((account) => [account.field, Math.max(account.ceiling, account.used + account.held)] as const)
      .filter(([, nanos]) => nanos > 0);
  }

  /** Ceilings since the last call, and how to say that they did not arrive. */
  takeMoved(): { readonly ceilings: readonly (readonly [field: string, nanos: number])[]; restore(): void } {
    const told = [...this.#moved];
    this.#moved.clear();
    const ceilings = told.map((account) => [account.field, (account.mirrored = account.ceiling)] as const);
    return { ceilings, restore: () => told.forEach((account) => this.#moved.add(account)) };
  }

  /** Forgets what was spent in periods that are long over. @param clocksMs all must agree that one is over */
  evictEnded(clocksMs: readonly number[]): void {
    const beforeMs = Math.min(...clocksMs) - ENDED_GRACE_MS;
    for (const [field, account] of this.#accounts) {
      if (account.period.endMs > beforeMs || account.held !== 0 || account.waiting !== 0) continue;
      this.#accounts.delete(field);
      this.#idle.delete(account);
      this.#moved.delete(account);
      this.touched.delete(account);
    }
  }
}
