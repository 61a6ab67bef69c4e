import type { Operation } from '#libs/dialects/index.js';
import type { Target } from '#libs/routing/index.js';
import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';
import { outgoingTo } from './outgoing.js';
import { send } from './send.js';
import { UpstreamCall } from './upstream-call.js';

/**
 * Stage 8: sends the call to its target. From here on the `UpstreamCall` owns the answer and settles the exchange.
 * @throws AppError `wrong_dialect` when the provider does not offer the operation
 */
export function attempt(exchange: Exchange, target: Target, plane: DataPlane): void {
  const outgoing = outgoingTo(exchange, target);
  send(target.provider, exchange.operation as Operation, outgoing, plane, new UpstreamCall(exchange, plane));
}
