import type { AlertQueue } from './alert-queue.js';
import { estimateAlert, exhaustedAlert, thresholdAlert, type AlertedBudget, type BudgetMoment, type ExceededEstimate } from './texts.js';

/**
 * What the data plane tells: budgets that cross a threshold or run dry, estimates that were too low. Fits the port
 * `BudgetEvents` of `libs/keys-budgets`. Each may be told any number of times and by any process; it is delivered once.
 */
export class RaisedAlerts {
  constructor(private readonly queue: Pick<AlertQueue, 'raise'>) {}

  crossed(budget: AlertedBudget, share: number, moment: BudgetMoment): void {
    this.queue.raise(thresholdAlert(budget, share, moment));
  }

  exhausted(budget: AlertedBudget, moment: BudgetMoment): void {
    this.queue.raise(exhaustedAlert(budget, moment));
  }

  estimateExceeded(call: ExceededEstimate): void {
    this.queue.raise(estimateAlert(call));
  }
}
