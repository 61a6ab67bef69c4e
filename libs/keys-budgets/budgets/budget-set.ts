import type { Account } from './account.js';
import { type BudgetDefinition, faultOfBudget, MOST_BUDGETS_OF_A_CALL } from './budget-definition.js';
import type { OrgBudgets } from './org-budgets.js';

/**
 * All budgets of one key, checked together: all have room or none is charged. Made once per key and configuration; at a
 * period's edge it turns to the next accounts by itself, by the store's clock.
 */
export class BudgetSet {
  readonly org: OrgBudgets;
  readonly definitions: readonly BudgetDefinition[];
  /** False: nothing here can refuse a call. */
  readonly hasHard: boolean;
  /** In the order of the definitions. */
  accounts: readonly Account[] = [];
  /** The fields as a JSON list, for rows. */
  fieldsJson = '[]';
  #fromMs = Infinity;
  #untilMs = -Infinity;

  /** @throws RangeError naming the field of a definition that cannot be */
  constructor(org: OrgBudgets, definitions: readonly BudgetDefinition[]) {
    for (const [n, budget] of definitions.entries()) {
      const fault = faultOfBudget(budget);
      if (fault !== null) throw new RangeError(`budgets[${n}].${fault.field}: ${fault.message}`);
      if (definitions.findIndex(({ id }) => id === budget.id) !== n) {
        throw new RangeError(`budgets[${n}].id: ${budget.id} is in the set twice: it would be charged twice`);
      }
    }
    if (definitions.length > MOST_BUDGETS_OF_A_CALL) {
      throw new RangeError(`a call has at most ${MOST_BUDGETS_OF_A_CALL} budgets, not ${definitions.length}`);
    }
    this.org = org;
    this.definitions = definitions;
    this.hasHard = definitions.some(({ mode }) => mode !== 'soft');
  }

  /** The accounts of the periods that `nowMs` (store time) lies in; also after a clock went back. */
  turnTo(nowMs: number): readonly Account[] {
    if (nowMs >= this.#fromMs && nowMs < this.#untilMs) return this.accounts;
    this.#fromMs = -Infinity;
    this.#untilMs = Infinity;
    this.accounts = this.definitions.map((budget) => {
      const period = this.org.periodOf(budget, nowMs);
      this.#fromMs = Math.max(this.#fromMs, period.startMs);
      this.#untilMs = Math.min(this.#untilMs, period.endMs);
      return this.org.accountOf(budget, period);
    });
    this.fieldsJson = JSON.stringify(this.accounts.map(({ field }) => field));
    return this.accounts;
  }
}
