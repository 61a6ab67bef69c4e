import { BudgetRefusal, type KeyRecord, type Refusal } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';
import type { BoundRefusal, UpperBound } from '#libs/pricing/index.js';
import type { PlanTarget } from '#libs/routing/index.js';
import { draftOf } from './call-event.js';
import type { DataPlane } from './data-plane.js';
import { estimate } from './estimate.js';
import type { Exchange } from './exchange.js';
import type { Reading } from './read.js';

/** The amounts a call asks for. */
type Amounts = Pick<UpperBound, 'minNanos' | 'wantNanos'>;
const NOTHING: Amounts = { minNanos: 0, wantNanos: 0 };

/**
 * Part of stage 7: money for the most that the call may cost at the dearest of its targets, in all its budgets or in none
 * (KEY-4), and its intent on the disk (KEY-6): nothing may be sent upstream before. Retries and fallbacks share it
 * (ADR 0010). A call without budgets has its intent all the same, and no estimate.
 * Rejects with `BudgetRefusal`, or AppError `store_unavailable`, `model_unpriced`, `cost_unbounded`.
 */
export async function reserve(exchange: Exchange, reading: Reading, key: KeyRecord, plane: DataPlane): Promise<void> {
  const set = plane.budgetSets.of(key);
  const amounts = key.budgets.length === 0 ? NOTHING : amountsOf(exchange, reading, key, set.hasHard, plane);
  const [first] = exchange.candidates as readonly [PlanTarget];
  const admitted = plane.budgets.admit({
    id: exchange.id,
    set,
    minNanos: amounts.minNanos,
    wantNanos: amounts.wantNanos,
    draft: draftOf(exchange, key, first.target, 1),
  });
  const admission = admitted instanceof Promise ? await admitted : admitted;
  if (!admission.ok) throw refusalOf(admission, key, amounts);
  if (!(await admission.written)) throw notAdmitted();
  exchange.admission = admission;
  if (set.hasHard) exchange.whenClientGone = 'drain'; // else a caller that leaves costs its budget the whole bound
}

/** The bound of each target; those without one are left out under a hard budget. */
function amountsOf(exchange: Exchange, reading: Reading, key: KeyRecord, isHard: boolean, plane: DataPlane): Amounts {
  const bounds = new Map<PlanTarget, UpperBound>();
  let why: unknown = null;
  for (const one of exchange.candidates) {
    try {
      const bound = estimate(exchange, reading, key, one.target, plane);
      const facts = exchange.facts[one.target.provider.chatMaximum];
      if (bound.refuse !== null && isHard) throw unbounded(bound.refuse, facts?.unclearAnswers ?? null);
      bounds.set(one, bound);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      why ??= error;
    }
  }
  if (bounds.size === 0) throw why;
  exchange.candidates = [...bounds.keys()];
  exchange.bounds = bounds;
  const all = [...bounds.values()];
  return {
    minNanos: Math.max(...all.map(({ minNanos }) => minNanos)),
    wantNanos: Math.max(...all.map(({ wantNanos }) => wantNanos)),
  };
}

function refusalOf({ reason, budget }: Refusal, key: KeyRecord, amounts: Amounts): AppError {
  if (reason === 'store' || budget === null) return notAdmitted();
  const owner = key.budgets.find(({ id }) => id === budget.budgetId)?.ownerName ?? '';
  return new BudgetRefusal(budget, owner, budget.mode === 'clamp' ? amounts.minNanos : amounts.wantNanos);
}

function notAdmitted(): AppError {
  return new AppError('store_unavailable', { text: 'The call cannot be booked right now.' });
}

const WHY: Readonly<Record<Exclude<BoundRefusal, 'unpriced'>, string>> = {
  server_tool_without_maximum: 'a tool that the provider runs has no stated maximum of uses',
  unknown_tool: 'the cost of one of its tools is not known',
  unbounded_input: 'the length of files or stored input is not known',
  unknown_fallback: 'the provider would choose by itself which model answers',
  unclear_answers: 'the number of answers is not a positive whole number in plain digits',
  uncountable: 'it is beyond nine million dollars',
};

function unbounded(refuse: BoundRefusal, field: string | null): AppError {
  if (refuse === 'unpriced') return new AppError('model_unpriced', { param: 'model' });
  return new AppError('cost_unbounded', {
    text: `What this request may cost has no upper bound, which its hard budget needs: ${WHY[refuse]}.`,
    ...(refuse === 'unclear_answers' && field !== null ? { param: field } : {}),
  });
}
