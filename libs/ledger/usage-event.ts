import type { TokenUsage } from '#libs/dialects/index.js';
import type { ErrorCode } from '#libs/platform/errors.js';

/**
 * One upstream call as the ledger keeps it: made by the gateway when the call is over, moved as JSON through its
 * spool and the Redis stream, written by the worker as one row. `id` is the request id, a UUIDv7 from which the row's time is decoded, so a
 * resend meets its first copy.
 */
export interface UsageEvent {
  /** `req_` + UUIDv7, minted before the call. */
  readonly id: string;
  readonly orgId: string;
  readonly keyId: string;
  readonly keyName: string;
  /** Names of the owners of the key. */
  readonly team: string | null;
  readonly user: string | null;
  readonly app: string | null;
  readonly tags: readonly string[];
  /** Route pattern of the endpoint, e.g. `/v1/chat/completions`. */
  readonly route: string;
  /** The wire format spoken with the provider: `usage.raw` is in it. */
  readonly dialect: string;
  readonly provider: string;
  /** Model name as the caller wrote it. */
  readonly modelRequested: string;
  /** Model name sent to the provider. */
  readonly model: string;
  readonly stream: boolean;
  /** HTTP status the caller got; 499 when the caller left first. */
  readonly status: number;
  /** HTTP status of the provider, `null` when none arrived. */
  readonly upstreamStatus: number | null;
  /** Our own error, when the call ended in one. */
  readonly error: ErrorCode | 'client_gone' | null;
  readonly usage: TokenUsage | null;
  /** `measured`: the provider said so. `partial`: seen before the stream ended early. `none`: nothing was reported. */
  readonly usageSource: 'measured' | 'partial' | 'none';
  /** Integer nano-dollars (1e-9 USD). */
  readonly costNanos: number;
  /** Version of the price table used; `null` when there was no usage to price, or the model has no price. */
  readonly priceVersion: string | null;
  /** Why the cost is an estimate (`EstimateReason` of the pricing); empty when every price in it is known. */
  readonly costEstimates: readonly string[];
  /** From the first byte of the request's handling to the end of the answer. */
  readonly latencyMs: number;
  /** To the first byte of the provider's answer; `null` when none arrived. */
  readonly firstByteMs: number | null;
  /** Which attempt of its request it was, from 1: of the request's own row the last, so their number. */
  readonly attempts: number;
  /** Name of the fallback chain the request went through; `null`: none. */
  readonly chain: string | null;
  /** Of a failed attempt with a row of its own: the id of its request. `null`: this row is the request's. */
  readonly requestId: string | null;
  readonly traceId: string | null;
}

/** The bodies of one call, captured for the archive. */
export interface BodyCapture {
  readonly id: string;
  readonly orgId: string;
  readonly keyId: string;
  readonly model: string;
  readonly requestBody: Buffer;
  readonly responseBody: Buffer;
  /** True when a body was longer than the capture limit and has been cut. */
  readonly truncated: boolean;
}

/** Where the data plane leaves bodies. Best effort within a byte bound: when full, bodies are shed and counted. */
export interface BodySink {
  readonly maxBodyBytes: number;
  capture(bodies: BodyCapture): void;
}
