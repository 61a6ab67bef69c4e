import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '#libs/platform/errors.js';
import { authenticate } from './authenticate.js';
import { authorize } from './authorize.js';
import type { DataPlane } from './data-plane.js';
import type { Endpoint } from './endpoints.js';
import { Exchange } from './exchange.js';

/** Bodies up to this size are taken from anybody; what a connection can make us hold without a key is bounded by it. */
const FREE_BODY_BYTES = 64 * 1024;

/**
 * Before a large body is read: its sender must have a key for the route, and all bodies held at once must fit the bound.
 * Runs for large bodies only, so an ordinary call pays one comparison.
 * @throws AppError of kind `auth` or `forbidden`, `body_too_large` or `overloaded`
 */
export function admitBody(
  endpoint: Endpoint,
  request: IncomingMessage,
  response: ServerResponse,
  plane: DataPlane,
): void {
  const declared = request.headers['content-length'];
  // Without a length it may become as large as any.
  const bytes =
    declared === undefined
      ? request.headers['transfer-encoding'] === undefined
        ? 0
        : plane.bodyLimitBytes
      : Number(declared);
  if (bytes <= FREE_BODY_BYTES) return;
  const exchange = new Exchange(endpoint, request, response, null, plane.snapshot);
  authorize(exchange, authenticate(exchange));
  if (bytes > plane.bodyLimitBytes) throw new AppError('body_too_large');
  if (!plane.heldBodies.take(bytes)) throw new AppError('overloaded');
  response.once('close', () => plane.heldBodies.give(bytes));
}
