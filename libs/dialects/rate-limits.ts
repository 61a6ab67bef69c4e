/** One rate limit as headers tell it. */
export interface RateState {
  readonly limit: number;
  readonly remaining: number;
  readonly resetMs: number;
}

/** The rate limits that a call counted against; `null`: none. */
export interface RateLimits {
  readonly requests: RateState | null;
  readonly tokens: RateState | null;
}

export type RateHeaders = Readonly<Record<string, string>>;
