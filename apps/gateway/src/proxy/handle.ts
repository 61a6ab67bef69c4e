import { AppError } from '#libs/platform/errors.js';
import { attempt } from './attempt.js';
import { authenticate } from './authenticate.js';
import { authorize, resolve } from './authorize.js';
import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';
import { answerListing } from './listings.js';
import { prepareBody } from './prepare.js';
import { read } from './read.js';
import { refuse } from './refuse.js';
import { requirePrice } from './require-price.js';

/**
 * The story of one request, top to bottom. A refusal is an `AppError` thrown by a stage; it ends the story in the dialect of
 * the route. Stages that are not configured do not run: later capabilities stand where the numbers leave room.
 *
 *  1 authenticate   whose key is it: no I/O, a look into the snapshot
 *  2 read           model and stream flag; the body stays a Buffer
 *  3 authorize      may the key use the route
 *  4 resolve        where the model leads and whether the key may go there
 *  5 guard (pre)    (guardrails)
 *  6 cache          (exact and similar answers)
 *  7 admit          room in the ledger's buffer (budgets and limits)
 *  8 attempt        dialect → provider → relay with back-pressure
 *  9 guard (post)   (windows of the stream)
 * 10 settle         usage, cost, one ledger event: `settle.ts`, when the answer is over; the client never waits for it
 */
export function handle(exchange: Exchange, plane: DataPlane): void {
  try {
    if (exchange.endpoint.operation === 'hello') return answerListing(exchange, null);
    if (plane.isBlind()) throw new AppError('store_unavailable');
    const key = authenticate(exchange);
    authorize(exchange, key);
    if (exchange.request.method !== 'POST') return answerListing(exchange, key);

    const reading = read(exchange);
    const target = resolve(exchange, key);
    if (exchange.snapshot.refusesUnpriced) requirePrice(exchange, key, target, plane);
    if (!plane.usage.hasRoom()) throw new AppError('overloaded');
    exchange.body = prepareBody(exchange, reading, target);
    attempt(exchange, target, plane);
  } catch (error) {
    refuse(exchange, plane, error);
  }
}
