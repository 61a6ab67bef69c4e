import type { KeyRecord } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';
import { admit } from './admit.js';
import { attempt } from './attempt.js';
import { authenticate } from './authenticate.js';
import { authorize } from './authorize.js';
import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';
import { answerHello, answerModel, answerModels } from './listings.js';
import { read, type Reading } from './read.js';
import { abandon, refuse } from './refuse.js';
import { requirePrice } from './require-price.js';
import { resolve } from './resolve.js';

/**
 * The story of one request, top to bottom. A refusal is an `AppError` thrown by a stage; it ends the story in the dialect of
 * the route. Stages that are not configured do not run: later capabilities stand where the numbers leave room. Before the
 * story begins, large bodies are read only for callers who have a key (`admit-body.ts`).
 *
 *  1 authenticate   whose key is it: no I/O, a look into the snapshot
 *  2 read           model and stream flag; the body stays a Buffer
 *  3 authorize      may the key use the route
 *  4 resolve        where the name leads: a model, or a chain of them; whether the key may go there
 *  5 guard (pre)    (guardrails)
 *  6 cache          (exact and similar answers)
 *  7 admit          room in the rate limits, money in the budgets, the intent on the disk
 *  8 attempt        target by target until one answers: translate → provider → relay with back-pressure
 *  9 guard (post)   (windows of the stream)
 * 10 settle         usage, cost, one ledger row: `settle.ts`, when the answer is over; the client never waits for it
 */
export function handle(exchange: Exchange, plane: DataPlane): void {
  try {
    if (!matchesAsWritten(exchange)) throw new AppError('bad_path');
    const { own } = exchange.endpoint;
    if (own === 'hello') return answerHello(exchange, plane);
    if (plane.isBlind()) throw new AppError('store_unavailable');
    const key = authenticate(exchange);
    authorize(exchange, key);
    if (own === 'models') return answerModels(exchange, key, plane);
    if (own === 'model') return answerModel(exchange, key, plane);

    const reading = read(exchange);
    resolve(exchange, key);
    if (exchange.snapshot.refusesUnpriced) requirePrice(exchange, key, plane);
    admit(exchange, reading, key, plane)
      .then(() => send(exchange, reading, key, plane))
      .catch((error: unknown) => refuse(exchange, plane, error));
  } catch (error) {
    refuse(exchange, plane, error);
  }
}

/** Stages 8 to 10. */
function send(exchange: Exchange, reading: Reading, key: KeyRecord, plane: DataPlane): void | Promise<void> {
  if (exchange.response.destroyed) return abandon(exchange, plane); // the caller left while the call waited for its admission
  return attempt(exchange, reading, key, plane);
}

/** The router decodes escapes before it matches; here the path must stand as its route is written, only `*` may hold escapes. */
function matchesAsWritten({ path, endpoint: { route } }: Exchange): boolean {
  return route.endsWith('*') ? path.startsWith(route.slice(0, -1)) : path === route;
}
