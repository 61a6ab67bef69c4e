/**
 * What one upstream call consumed, in one shape for all dialects. All numbers are token counts unless the name says otherwise.
 * `inputTokens` is everything that went in, cached tokens included; what a dialect reports otherwise (Anthropic's
 * `input_tokens` excludes cached ones) is added up by its reader.
 */
export interface TokenUsage {
  readonly inputTokens: number;
  /** Part of `inputTokens` read from the provider's prompt cache. */
  readonly cachedInputTokens: number;
  /** Part of `inputTokens` written to the provider's prompt cache for 5 minutes (or with no stated time). */
  readonly cacheWrite5mTokens: number;
  /** Part of `inputTokens` written to the provider's prompt cache for 1 hour. */
  readonly cacheWrite1hTokens: number;
  /** Everything that came out, reasoning included. */
  readonly outputTokens: number;
  /** Part of `outputTokens` spent on reasoning; informs, is not priced apart. */
  readonly reasoningTokens: number;
  /** Searches run by the provider on the caller's behalf, priced per use. */
  readonly webSearchRequests: number;
  /**
   * The usage object as received (JSON text), so that every cost can be replayed. Of an Anthropic stream, which reports in two
   * parts, both merged: the last value of each field.
   */
  readonly raw: string;
}
