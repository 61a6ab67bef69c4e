import { affordableTokens, costOfTokens } from '#libs/pricing/index.js';
import type { PlanTarget } from '#libs/routing/index.js';
import type { Exchange } from './exchange.js';
import { wayTo } from './way.js';

/**
 * What the money set aside for a call buys at one of its targets: the maximum of output tokens to ask for, and what a stream
 * may grow to. Without a hard budget the request stays as it is.
 */
export function fund(exchange: Exchange, target: PlanTarget): void {
  const { admission } = exchange;
  const bound = exchange.bounds?.get(target);
  if (bound === undefined || admission === null || !admission.set.hasHard) return;
  exchange.isClamped = admission.isClampedFrom(bound.wantNanos);
  exchange.maxTokens = exchange.isClamped ? affordableTokens(bound, admission.boundNanos) : bound.injectedMaxTokens;
  exchange.growth = null;
  if (exchange.stream) {
    const tokens = exchange.maxTokens ?? bound.maxTokens;
    const againNanos = costOfTokens(bound, tokens) - costOfTokens(bound, 0);
    const operation = wayTo(exchange, target.target)?.operation ?? 'chat';
    exchange.growth = { operation, tokens: tokens * (exchange.facts?.answers ?? 1), againNanos };
  }
}
