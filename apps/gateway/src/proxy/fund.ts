import { affordableTokens, costOfTokens } from '#libs/pricing/index.js';
import type { PlanTarget } from '#libs/routing/index.js';
import type { Exchange } from './exchange.js';
import type { Reading } from './read.js';

/**
 * What the money set aside for a call buys at one of its targets: the maximum of output tokens to ask for, and what a stream
 * may grow to. Without a hard budget the request stays as it is.
 */
export function fund(exchange: Exchange, reading: Reading, target: PlanTarget): void {
  const { admission } = exchange;
  const bound = exchange.bounds?.get(target);
  if (bound === undefined || admission === null || !admission.set.hasHard) return;
  exchange.isClamped = admission.isClampedFrom(bound.wantNanos);
  exchange.maxTokens = exchange.isClamped ? affordableTokens(bound, admission.boundNanos) : bound.injectedMaxTokens;
  exchange.growth = null;
  // several answers at once share no count of pieces
  if (exchange.stream && !reading.fields.has('n')) {
    const tokens = exchange.maxTokens ?? bound.maxTokens;
    exchange.growth = { tokens, againNanos: costOfTokens(bound, tokens) - costOfTokens(bound, 0) };
  }
}
