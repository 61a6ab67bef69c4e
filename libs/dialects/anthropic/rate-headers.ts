import type { RateHeaders, RateLimits, RateState } from '../rate-limits.js';

/** `anthropic-ratelimit-requests-limit` and its kin (Anthropic API reference, "Rate limits: response headers"). */
export function anthropicRateHeaders({ requests, tokens }: RateLimits, nowMs: number): RateHeaders {
  return { ...headersOf('requests', requests, nowMs), ...headersOf('tokens', tokens, nowMs) };
}

function headersOf(measure: string, state: RateState | null, nowMs: number): RateHeaders {
  if (state === null) return {};
  return {
    [`anthropic-ratelimit-${measure}-limit`]: String(state.limit),
    [`anthropic-ratelimit-${measure}-remaining`]: String(state.remaining),
    [`anthropic-ratelimit-${measure}-reset`]: new Date(nowMs + state.resetMs).toISOString().replace(/\.\d+Z$/, 'Z'),
  };
}
