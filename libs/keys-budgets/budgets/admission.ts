import type { Account } from './account.js';
import type { BudgetMode, BudgetScope } from './budget-definition.js';
import type { BudgetSet } from './budget-set.js';
import type { OpenIntent } from './spool.js';

/** What a call asks for. */
export interface AdmitRequest {
  /** `req_` + UUIDv7, the id of its row; minted before the call, used once. */
  readonly id: string;
  readonly set: BudgetSet;
  /** Least that a useful answer may cost; matters for `clamp` budgets only. */
  readonly minNanos: number;
  /** Upper bound of everything the provider may bill. */
  readonly wantNanos: number;
  /** JSON object on one line: the usage event as far as it is known before the call. It becomes the row if nobody ends it. */
  readonly draft: string;
}

/** A budget as headers tell it. */
export interface BudgetState {
  readonly budgetId: string;
  readonly scope: BudgetScope;
  readonly mode: BudgetMode;
  readonly limitNanos: number;
  /** Neither spent nor held; idle slices of other processes count as held, so it may read a little low. */
  readonly remainingNanos: number;
  /** Name of the period that is short or told of, such as `m2026-11`. */
  readonly period: string;
  /** Start of the next period, ms since 1970; `null` for a lifetime. */
  readonly resetMs: number | null;
}

/** No upstream call may be made. */
export interface Refusal {
  readonly ok: false;
  /** `budget`: not enough is left (429). `store`: nobody can say, or the spool is full (503). */
  readonly reason: 'budget' | 'store';
  /** The budget that was short. */
  readonly budget: BudgetState | null;
}

/** Money set aside for one call. It ends with exactly one `settle` or `cancel`. */
export class Admission {
  readonly ok = true;
  readonly id: string;
  readonly set: BudgetSet;
  /** Charged, even if the period ends while the call runs. */
  readonly accounts: readonly Account[];
  readonly fieldsJson: string;
  readonly draft: string;
  /** What is set aside: the call may not cost more. Less than was wanted where a budget clamps; grows by `extend`. */
  boundNanos: number;
  /**
   * True once the intent is in the spool's file. Nothing may be sent upstream before: `if (!(await admission.written))` the
   * call was not admitted after all (disk full, lease over) and the answer is that of a `store` refusal.
   */
  written: true | Promise<boolean> = true;
  intent: OpenIntent | null = null;
  isOver = false;

  constructor(request: AdmitRequest, accounts: readonly Account[], boundNanos: number) {
    this.id = request.id;
    this.set = request.set;
    this.accounts = accounts;
    this.fieldsJson = request.set.fieldsJson;
    this.draft = request.draft;
    this.boundNanos = boundNanos;
  }

  /** True when a `clamp` budget gave less than was asked for: say so in a header. */
  isClampedFrom(wantNanos: number): boolean {
    return this.boundNanos < wantNanos;
  }
}

/** @param freedNanos what of the amount held is about to be free again */
export function stateOf(account: Account, freedNanos = 0): BudgetState {
  const { budget, period } = account;
  return {
    budgetId: budget.id,
    scope: budget.scope,
    mode: budget.mode,
    limitNanos: budget.limitNanos,
    remainingNanos: account.remainingAfter(freedNanos),
    period: period.name,
    resetMs: Number.isFinite(period.endMs) ? period.endMs : null,
  };
}

/** The budget with the least left; hard ones before soft ones; `null` without budgets. */
export function tightestOf(accounts: readonly Account[], freedNanos = 0): BudgetState | null {
  let tightest: Account | null = null;
  for (const account of accounts) {
    if (
      tightest === null ||
      (tightest.isSoft && !account.isSoft) ||
      (tightest.isSoft === account.isSoft && account.remaining < tightest.remaining)
    ) {
      tightest = account;
    }
  }
  return tightest === null ? null : stateOf(tightest, freedNanos);
}
