import { BudgetRefusal, type KeyRecord, type Refusal } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';
import { affordableTokens, costOfTokens, type BoundRefusal, type UpperBound } from '#libs/pricing/index.js';
import type { Target } from '#libs/routing/index.js';
import { draftOf } from './call-event.js';
import type { DataPlane } from './data-plane.js';
import { estimate } from './estimate.js';
import type { Exchange } from './exchange.js';
import type { Reading } from './read.js';

/**
 * Part of stage 7: money for the most that the call may cost, in all its budgets or in none (KEY-4), and its intent on the
 * disk (KEY-6): nothing may be sent upstream before. A call without budgets has its intent all the same, and no estimate.
 * Rejects with `BudgetRefusal`, or AppError `store_unavailable`, `model_unpriced`, `cost_unbounded`.
 */
export async function reserve(
  exchange: Exchange,
  reading: Reading,
  key: KeyRecord,
  target: Target,
  plane: DataPlane,
): Promise<void> {
  const set = plane.budgetSets.of(key);
  const bound = key.budgets.length === 0 ? null : estimate(exchange, reading, key, target, plane);
  if (bound !== null && bound.refuse !== null && set.hasHard)
    throw unbounded(bound.refuse, exchange.facts?.unclearAnswers ?? null);
  const admitted = plane.budgets.admit({
    id: exchange.id,
    set,
    minNanos: bound?.minNanos ?? 0,
    wantNanos: bound?.wantNanos ?? 0,
    draft: draftOf(exchange, key, target),
  });
  const admission = admitted instanceof Promise ? await admitted : admitted;
  if (!admission.ok) throw refusalOf(admission, key, bound);
  if (!(await admission.written)) throw notAdmitted();
  exchange.admission = admission;
  exchange.boundNanos = set.hasHard ? admission.boundNanos : null; // without a maximum sent along it bounds nothing
  if (bound === null || !set.hasHard) return;
  exchange.whenClientGone = 'drain'; // else a caller that leaves costs its budget the whole bound
  exchange.isClamped = admission.isClampedFrom(bound.wantNanos);
  exchange.maxTokens = exchange.isClamped ? affordableTokens(bound, admission.boundNanos) : bound.injectedMaxTokens;
  if (exchange.stream) {
    const tokens = exchange.maxTokens ?? bound.maxTokens;
    const againNanos = costOfTokens(bound, tokens) - costOfTokens(bound, 0);
    const operation = exchange.operation ?? 'chat';
    exchange.growth = { operation, tokens: tokens * (exchange.facts?.answers ?? 1), againNanos };
  }
}

function refusalOf({ reason, budget }: Refusal, key: KeyRecord, bound: UpperBound | null): AppError {
  if (reason === 'store' || budget === null) return notAdmitted();
  const owner = key.budgets.find(({ id }) => id === budget.budgetId)?.ownerName ?? '';
  return new BudgetRefusal(budget, owner, (budget.mode === 'clamp' ? bound?.minNanos : bound?.wantNanos) ?? 0);
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
