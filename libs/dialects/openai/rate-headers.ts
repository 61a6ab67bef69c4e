import type { RateHeaders, RateLimits, RateState } from '../rate-limits.js';

/** `x-ratelimit-limit-requests` and its kin (OpenAI API guide, "Rate limits in headers"). */
export function openAiRateHeaders({ requests, tokens }: RateLimits): RateHeaders {
  return { ...headersOf('requests', requests), ...headersOf('tokens', tokens) };
}

function headersOf(measure: string, state: RateState | null): RateHeaders {
  if (state === null) return {};
  return {
    [`x-ratelimit-limit-${measure}`]: String(state.limit),
    [`x-ratelimit-remaining-${measure}`]: String(state.remaining),
    [`x-ratelimit-reset-${measure}`]: duration(state.resetMs),
  };
}

/** A duration as Go writes it: `820ms`, `6s`, `1m0s`. */
function duration(ms: number): string {
  if (ms < 1_000) return `${Math.ceil(ms)}ms`;
  const seconds = Math.ceil(ms / 1_000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
