import type { AppError } from '#libs/platform/errors.js';
import type { RateHeaders, RateLimits } from './rate-limits.js';
import type { BesideUsage, TokenUsage } from './usage.js';

export type DialectName = 'openai' | 'anthropic' | 'gemini';

/** What a call asks a model to do; together with the dialect it says which wire format is spoken. */
export type Operation =
  | 'chat'
  | 'responses'
  | 'completions'
  | 'embeddings'
  | 'messages'
  | 'count_tokens'
  | 'generate'
  | 'stream_generate'
  | 'gemini_count_tokens'
  | 'gemini_embed'
  | 'gemini_batch_embed';

/** An error as it goes out on the wire. */
export interface RenderedError {
  readonly status: number;
  /** JSON text. */
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What is left of a stream that was relayed: its first bytes, its last ones, and what is billed in between. */
export interface StreamEnds {
  readonly head: Buffer;
  readonly tail: Buffer;
  /** Blocks in between that carry what `Dialect.billedMark` names; left out where there is no such mark. */
  readonly marked?: Buffer;
}

/** `done`: with its proper last frames. `failed`: with an error event of the provider's own. `cut`: it just stopped. */
export type StreamEnding = 'done' | 'failed' | 'cut';

/** A model as the listings show it. */
export interface ListedModel {
  readonly id: string;
  readonly provider: string;
  readonly contextTokens: number | null;
}

/** What the data plane must know of a wire format. All members are pure. */
export interface Dialect {
  readonly name: DialectName;
  /** One of our own errors in this dialect's shape. 4xx carry `x-should-retry: false`: no SDK may repeat them. */
  renderError(error: AppError): RenderedError;
  /** Rate limits of ours in the names this dialect's clients know; ms since 1970. */
  rateHeaders(limits: RateLimits, nowMs: number): RateHeaders;
  /** The frames that end a broken stream so that every client of this dialect sees an error, never a clean end. */
  renderStreamError(operation: Operation, error: AppError): string;
  /** How the stream ended, as its last bytes tell. */
  endingOf(operation: Operation, tail: Buffer): StreamEnding;
  /** Usage in a whole JSON answer. */
  usageOfBody(operation: Operation, body: Buffer): TokenUsage | null;
  /** Usage in what is left of a relayed stream; complete only when its ending is `done`. */
  usageOfStream(operation: Operation, ends: StreamEnds): TokenUsage | null;
  /** Whether a stream that ended properly has reported all of its usage, and not only what its beginning told. */
  hasFinalUsage(ends: StreamEnds): boolean;
  /** Usage read again from its `raw` text and what stood beside it; `null` when that is no usage object. */
  usageOfRaw(raw: string, beside: BesideUsage): TokenUsage | null;
  /** Response header that names the service tier, where the answer's body does not. */
  readonly tierHeader: string | null;
  /** Text that marks frames of a stream which count for the bill and may come long before its end. */
  readonly billedMark: string | null;
  /** The answer of the dialect's model listing, as JSON text. */
  renderModels(models: readonly ListedModel[]): string;
  /** One model, as JSON text. */
  renderModel(model: ListedModel): string;
}

/** Headers every error of ours carries. A caller's own mistake will not get better by itself: SDKs must not repeat it. */
export function errorHeaders(error: AppError, status: number): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': 'application/json; charset=utf-8' };
  if (error.retryAfterS !== null) headers['retry-after'] = String(error.retryAfterS);
  else if (status < 500) headers['x-should-retry'] = 'false';
  else if (status === 503) headers['retry-after'] = '1';
  headers['x-smartflow-error'] = error.code;
  return headers;
}
