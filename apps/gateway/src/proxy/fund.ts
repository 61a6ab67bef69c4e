import { affordableTokens, costOfTokens } from '#libs/pricing/index.js';
import type { Exchange } from './exchange.js';
import type { UpstreamAttempt } from './upstream-attempt.js';

/**
 * What the money set aside for a call buys at the target of an attempt: the most it may cost there, the maximum of output
 * tokens to ask for, and what a stream may grow to. Without a hard budget the request stays as it is.
 */
export function fund({ admission, bounds, stream, facts }: Exchange, attempt: UpstreamAttempt): void {
  const bound = bounds?.get(attempt.planned.target);
  if (bound === undefined || admission === null) return;
  attempt.boundNanos = Math.min(bound.wantNanos, admission.boundNanos);
  if (!admission.set.hasHard) return;
  attempt.isClamped = admission.isClampedFrom(bound.wantNanos);
  attempt.maxTokens = attempt.isClamped ? affordableTokens(bound, admission.boundNanos) : bound.injectedMaxTokens;
  if (stream) {
    const tokens = attempt.maxTokens ?? bound.maxTokens;
    const answers = (facts.max_completion_tokens ?? facts.max_tokens)?.answers ?? 1; // the same in both
    const againNanos = costOfTokens(bound, tokens) - costOfTokens(bound, 0);
    attempt.growth = { operation: attempt.way.operation, tokens: tokens * answers, againNanos };
  }
}
