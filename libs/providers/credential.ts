/** A question to a token service. */
export interface TokenQuestion {
  readonly url: string;
  /** Sent as `application/x-www-form-urlencoded`. */
  readonly form: Readonly<Record<string, string>>;
}

/** What a token service said; the body is bounded. */
export interface TokenAnswer {
  readonly status: number;
  readonly body: string;
}

/** Port: asks a token service. Bounded in time and size, under the egress rules; rejects when there is no answer. */
export type FetchToken = (question: TokenQuestion) => Promise<TokenAnswer>;

/** A call whose headers are complete but for its credentials. */
export interface UnsignedCall {
  readonly method: string;
  /** With query. */
  readonly path: string;
  /** Flat: `[name, value, …]`. */
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/**
 * The credentials of a provider where they are more than a fixed header. Normally everything is at hand and a call does not
 * wait: `isReady()`, then `headersFor(…)`, both synchronous. Only when it is not, `refresh()` comes between.
 */
export interface Credential {
  /** Whether a call can be signed now. Starts a renewal in the background when the end is near. */
  isReady(): boolean;
  /** Gets what is missing; many callers share one renewal. @throws AppError `upstream_credentials` */
  refresh(): Promise<void>;
  /** Headers that prove who calls, flat; only after `isReady()`. */
  headersFor(call: UnsignedCall): string[];
  /** The upstream refused it (401, 403): the next call gets a new one, but not more often than a renewal is allowed. */
  refused(): void;
  /** Every value that must not be shown to a caller. */
  secrets(): readonly string[];
}
