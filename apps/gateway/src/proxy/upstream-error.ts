import { errors } from 'undici';
import { AppError } from '#libs/platform/errors.js';

/** Our error for a failure of the connection to a provider. `answered`: the provider's status line had arrived. */
export function upstreamError(cause: Error, answered: boolean): AppError {
  if (cause instanceof errors.HeadersTimeoutError) return new AppError('upstream_timeout', { cause });
  if (cause instanceof errors.BodyTimeoutError) return new AppError('upstream_stalled', { cause });
  if (cause instanceof errors.HTTPParserError) return new AppError('upstream_invalid', { cause });
  return new AppError(answered ? 'upstream_cut' : 'upstream_unreachable', { cause });
}
