import { errors } from 'undici';
import type { FailureClass } from '#libs/platform/config.js';
import { AppError } from '#libs/platform/errors.js';
import { classifyFault } from '#libs/routing/index.js';
import type { AbortReason } from './ending.js';

/** Our error for a failure of the connection to a provider. `answered`: the provider's status line had arrived. */
export function upstreamError(cause: Error, answered: boolean): AppError {
  if (cause instanceof AppError) return cause;
  if (cause instanceof errors.BodyTimeoutError) return new AppError('upstream_stalled', { cause });
  if (answered) return new AppError('upstream_cut', { cause });
  if (cause instanceof errors.HeadersTimeoutError) return new AppError('upstream_timeout', { cause });
  const isHttp = cause instanceof errors.HTTPParserError || cause instanceof errors.HeadersOverflowError;
  return new AppError(isHttp ? 'upstream_invalid' : 'upstream_unreachable', { cause });
}

/** Our error for a call that the gateway ended itself. */
export function errorOfAbort(reason: AbortReason, cause?: Error): AppError {
  return new AppError(reason === 'client_gone' ? 'upstream_cut' : reason, cause === undefined ? {} : { cause });
}

/** How far an answer had come when it failed. */
interface Seen {
  readonly hasStatus: boolean;
  readonly hasContent: boolean;
  /** Why the gateway ended it, if it did. */
  readonly abortReason: AbortReason | null;
}

/** The class of an attempt that ended without a readable answer (RTE-2). */
export function classOfFailure(error: AppError, { hasStatus, hasContent, abortReason }: Seen): FailureClass {
  if (abortReason === 'client_gone') return 'caller_left';
  if (abortReason === 'draining' || abortReason === 'budget_exceeded') return 'own_refusal';
  if (abortReason === 'upstream_timeout') return hasContent ? 'late_stall' : 'first_byte_timeout';
  switch (error.code) {
    case 'internal':
      return 'own_refusal';
    case 'upstream_credentials':
      return 'auth';
    case 'upstream_bad_output':
      return 'bad_output';
    case 'upstream_failed':
      return hasContent ? 'late_cut' : 'error_body';
    case 'upstream_invalid':
      return hasContent ? 'late_cut' : 'bad_answer';
    default:
      if (error.cause === undefined) return hasContent ? 'late_cut' : 'cut';
      return classifyFault(error.cause, hasContent ? 'content' : hasStatus ? 'started' : 'none');
  }
}
