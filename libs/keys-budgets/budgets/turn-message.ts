import type { Account } from './account.js';
import type { TurnReply } from './budget-counters.js';

/** A request that this process cannot decide alone. */
export interface Asking {
  readonly minNanos: number;
  readonly wantNanos: number;
  readonly accounts: readonly Account[];
}

/** Lua can hand about 8,000 values to one command; two per account. */
const MOST_ACCOUNTS = 1500;
const MOST_TOUCHED = 900;
const MOST_REQUESTS = 128;

/**
 * One message to `turn.lua`: the whole truth about the accounts it names, so that a lost one is simply followed by the
 * next. Making it lowers ceilings that are higher than needed: I2, lowered here before it is sent.
 */
export class TurnMessage<R extends Asking> {
  readonly accounts: Account[] = [];
  readonly requests: R[] = [];
  readonly #numbers = new Map<Account, number>();
  readonly #tail: number[] = [];

  /** Takes requests from the front of `queue` and accounts out of `touched`, as many as fit. */
  constructor(queue: R[], touched: Set<Account>) {
    while (queue.length > 0 && this.requests.length < MOST_REQUESTS && this.accounts.length < MOST_ACCOUNTS) {
      this.#addRequest(queue.shift() as R);
    }
    for (const account of touched) {
      if (this.accounts.length >= MOST_TOUCHED && !this.#numbers.has(account)) break;
      touched.delete(account);
      this.#number(account);
    }
  }

  /** The script's arguments. */
  args(
    head: readonly [gen: string, seq: number, ttlMs: number, share: number],
    nowMs: number,
    parkMs: number,
  ): (string | number)[] {
    const args: (string | number)[] = [...head, this.accounts.length, this.requests.length];
    for (const account of this.accounts) {
      const base = account.used + account.held;
      const slack = account.slackGoal(nowMs, parkMs);
      if (account.ceiling > base + slack) account.ceiling = base + slack;
      args.push(account.field, account.budget.limitNanos, account.mode, base, slack);
    }
    for (const number of this.#tail) args.push(number);
    return args;
  }

  /** Takes over what Redis says now stands: I2, raised here after the answer. */
  apply({ values }: Extract<TurnReply, { status: 'OK' }>): void {
    for (const [n, account] of this.accounts.entries()) {
      account.ceiling = values[2 * n] as number;
      account.total = values[2 * n + 1] as number;
      account.others = account.total - account.ceiling;
    }
  }

  #addRequest(request: R): void {
    this.requests.push(request);
    this.#tail.push(request.minNanos, request.wantNanos, request.accounts.length);
    for (const account of request.accounts) {
      account.lastWant = request.wantNanos;
      this.#tail.push(this.#number(account));
    }
  }

  #number(account: Account): number {
    let number = this.#numbers.get(account);
    if (number === undefined) this.#numbers.set(account, (number = this.accounts.push(account)));
    return number;
  }
}
