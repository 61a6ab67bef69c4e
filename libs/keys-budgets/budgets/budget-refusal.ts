import { AppError } from '#libs/platform/errors.js';
import { nanosToUsdText } from '#libs/platform/money.js';
import type { BudgetState } from './admission.js';

/** A call that a budget cannot pay (KEY-3); no upstream call was made. */
export class BudgetRefusal extends AppError {
  readonly state: BudgetState;

  /**
   * @param state the budget that was short
   * @param ownerName what people call whoever has it
   * @param needNanos the least that the call may cost
   */
  constructor(state: BudgetState, ownerName: string, needNanos: number) {
    const { scope, limitNanos, remainingNanos, resetMs } = state;
    const owner = scope === 'org' ? 'the organisation' : `the ${scope} "${ownerName}"`;
    const until = resetMs === null ? '' : ` It begins anew at ${new Date(resetMs).toISOString()}.`;
    const left =
      remainingNanos === 0
        ? 'is used up'
        : `has ${usd(remainingNanos)} left, less than this call may cost (${usd(needNanos)})`;
    super('budget_exceeded', { text: `The budget of ${owner} (${usd(limitNanos)}) ${left}.${until}` });
    this.state = state;
  }
}

const usd = (nanos: number): string => `$${nanosToUsdText(BigInt(nanos))}`;
