import { AppError } from '#libs/platform/errors.js';
import type { Target } from '#libs/routing/index.js';
import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';
import { upstreamHeaders } from './request-headers.js';
import { UpstreamCall } from './upstream-call.js';

/**
 * Stage 8: sends the call to its target. From here on the `UpstreamCall` owns the answer and settles the exchange.
 * @throws AppError `wrong_dialect` when the provider does not offer the operation
 */
export function attempt(exchange: Exchange, target: Target, plane: DataPlane): void {
  const { provider } = target;
  const path = exchange.operation === null ? null : provider.pathFor(exchange.operation, target.model, exchange.query);
  if (path === null)
    throw new AppError('wrong_dialect', { text: 'The provider of this model does not offer this operation.' });
  plane.pools.of(provider, plane.active.size).dispatch(
    {
      path,
      method: 'POST',
      headers: upstreamHeaders(exchange, target),
      body: exchange.body,
      headersTimeout: provider.timeouts.firstByteMs,
      bodyTimeout: provider.timeouts.idleMs,
    },
    new UpstreamCall(exchange, plane),
  );
}
