import type { Budgets, BudgetSet, KeyRecord } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';

/** What the stages need of the budgets of this process: money set aside, and one row per call. */
export type CallBudgets = Pick<Budgets, 'compile' | 'admit' | 'extend' | 'settle' | 'cancel' | 'tightest' | 'isReady'>;

/** The budgets of each key, compiled when it is first used. A key that changes is another record, with another set. */
export class BudgetSets {
  readonly #budgets: Pick<CallBudgets, 'compile'>;
  readonly #sets = new WeakMap<KeyRecord, BudgetSet>();

  constructor(budgets: Pick<CallBudgets, 'compile'>) {
    this.#budgets = budgets;
  }

  /** @throws AppError `key_unusable` when its budgets cannot be charged together */
  of(key: KeyRecord): BudgetSet {
    let set = this.#sets.get(key);
    if (set === undefined) this.#sets.set(key, (set = this.#compile(key)));
    return set;
  }

  #compile({ orgId, budgets }: KeyRecord): BudgetSet {
    try {
      return this.#budgets.compile(orgId, budgets);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new AppError('key_unusable', {
        text: `The budgets of this key cannot be charged: ${error.message}`,
        cause: error,
      });
    }
  }
}
