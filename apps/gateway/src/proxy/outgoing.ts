import { AppError } from '#libs/platform/errors.js';
import type { Target } from '#libs/routing/index.js';
import type { Exchange } from './exchange.js';
import { upstreamHeaders } from './request-headers.js';

/** One call to one target, complete but for credentials that expire. */
export interface Outgoing {
  readonly path: string;
  /** Flat: `[name, value, …]`. */
  readonly headers: string[];
  readonly body: Buffer;
}

/**
 * What goes to a target: the prepared body and the caller's headers, as the provider wants them. What it cannot take is left
 * out and named in `exchange.dropped`.
 * @throws AppError `wrong_dialect` when the provider does not offer the operation
 */
export function outgoingTo(exchange: Exchange, target: Target): Outgoing {
  const { provider, model } = target;
  const { operation, stream } = exchange;
  const path = operation === null ? null : provider.pathFor(operation, model, exchange.query, stream);
  if (operation === null || path === null)
    throw new AppError('wrong_dialect', { text: 'The provider of this model does not offer this operation.' });
  const headers = upstreamHeaders(exchange, target);
  if (provider.adaptation === null) return { path, headers, body: exchange.body };
  const adapted = provider.adaptation.adapt({ operation, model, stream, headers, body: exchange.body });
  if (adapted.dropped.length > 0) exchange.dropped = [...new Set([...exchange.dropped, ...adapted.dropped])];
  return { path, headers: adapted.headers, body: adapted.body };
}
