import { errors } from 'undici';
import { AppError } from '#libs/platform/errors.js';

/** Our error for a failure of the connection to a provider. `answered`: the provider's status line had arrived. */
export function upstreamError(cause: Error, answered: boolean): AppError {
  if (cause instanceof AppError) return cause;
  if (cause instanceof errors.BodyTimeoutError) return new AppError('upstream_stalled', { cause });
  if (answered) return new AppError('upstream_cut', { cause });
  if (cause instanceof errors.HeadersTimeoutError) return new AppError('upstream_timeout', { cause });
  const isHttp = cause instanceof errors.HTTPParserError || cause instanceof errors.HeadersOverflowError;
  return new AppError(isHttp ? 'upstream_invalid' : 'upstream_unreachable', { cause });
}
