import { AppError } from '#libs/platform/errors.js';
import type { Exchange } from './exchange.js';
import { upstreamHeaders } from './request-headers.js';
import type { UpstreamAttempt } from './upstream-attempt.js';
import type { Way } from './way.js';

/** One call to one target, complete but for credentials that expire. */
export interface Outgoing {
  readonly path: string;
  /** Flat: `[name, value, …]`. */
  readonly headers: string[];
  readonly body: Buffer;
}

/**
 * What goes to a target: the prepared body and the caller's headers, as the provider wants them. What it cannot take is left
 * out and named in `attempt.dropped`.
 * @throws AppError `wrong_dialect` when the provider does not offer the operation
 */
export function outgoingTo(exchange: Exchange, attempt: UpstreamAttempt, body: Buffer): Outgoing {
  const { target, way } = attempt;
  const { provider, model } = target;
  const { operation } = way;
  const { stream } = exchange;
  const path = provider.pathFor(operation, model, queryOf(exchange, way), stream);
  if (path === null)
    throw new AppError('wrong_dialect', { text: 'The provider of this model does not offer this operation.' });
  const headers = upstreamHeaders(exchange, target, way);
  if (provider.adaptation === null) return { path, headers, body };
  const adapted = provider.adaptation.adapt({ operation, model, stream, headers, body });
  attempt.leaveOut(adapted.dropped);
  return { path, headers: adapted.headers, body: adapted.body };
}

/** A query is written for the caller's own dialect. Gemini streams events only when asked. */
function queryOf({ query }: Exchange, { translator, operation }: Way): string {
  if (translator === null) return query;
  return operation === 'stream_generate' ? 'alt=sse' : '';
}
