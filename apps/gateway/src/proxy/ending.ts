import type { IncomingHttpHeaders } from 'node:http';
import type { TokenUsage } from '#libs/dialects/index.js';
import type { AppError, ErrorCode } from '#libs/platform/errors.js';
import type { Failure } from '#libs/routing/index.js';
import type { OutgoingHeaders } from './response-headers.js';

/** Why the gateway itself ended a call. */
export type AbortReason =
  'client_gone' | Extract<ErrorCode, 'upstream_timeout' | 'upstream_invalid' | 'draining' | 'budget_exceeded'>;

/** What an attempt that failed has for the caller, should nobody else take the call. */
export type Ending =
  | { readonly kind: 'answer'; readonly status: number; readonly headers: OutgoingHeaders; readonly body: Buffer }
  | { readonly kind: 'error'; readonly error: AppError; readonly status: number; readonly retryAfter: string | null };

/** An error of ours, with what can be kept of a provider's without its text: SDKs back off by its status and `retry-after`. */
export function errorEnding(error: AppError, status: number | null, headers: IncomingHttpHeaders): Ending {
  if (status === null || status < 400) return { kind: 'error', error, status: 0, retryAfter: null };
  return { kind: 'error', error, status, retryAfter: headers['retry-after'] ?? null };
}

/** A JSON answer as a whole. */
export interface WholeAnswer {
  readonly status: number;
  readonly headers: OutgoingHeaders;
  readonly body: Buffer;
  readonly usage: TokenUsage | null;
  /** As the provider sent it. */
  readonly received: Buffer;
}

/** The end of an answer that was passed on as it came. */
export interface PassedAnswer {
  readonly usage: TokenUsage | null;
  /** The first events, where they tell something. */
  readonly head: Buffer | null;
  /** The usage is the final one. */
  readonly isWhole: boolean;
  /** What its last event says went wrong; `null`: nothing. */
  readonly failure: Failure | null;
}

/** How an attempt failed. */
export interface FailedAnswer {
  readonly failure: Failure;
  readonly ending: Ending;
  /** What it reported all the same. */
  readonly usage: TokenUsage | null;
  /** The provider ended its answer itself: the usage is the final one. */
  readonly isWhole: boolean;
}
