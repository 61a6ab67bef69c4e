import type { KeyRecord } from '#libs/keys-budgets/index.js';
import { conversationKey, type RouteContext } from '#libs/routing/index.js';
import { parseSpan } from '#libs/dialects/index.js';
import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';
import type { Reading } from './read.js';
import { abandon } from './refuse.js';
import { RoutedCall } from './routed-call.js';

/** Sessions that coding agents name themselves. */
const SESSION_HEADERS = ['x-claude-code-session-id', 'session_id', 'x-session-id'];

/**
 * Stage 8: sends the call on its way through its plan. From here on the `RoutedCall` owns the answer and settles the exchange.
 */
export function attempt(exchange: Exchange, reading: Reading, key: KeyRecord, plane: DataPlane): void | Promise<void> {
  const { plan } = exchange;
  if (plan === null) return;
  const begin = (pinned: string | null): void => {
    if (exchange.response.destroyed) return abandon(exchange, plane);
    exchange.run = plane.router.route(plan, contextOf(exchange, key, pinned));
    new RoutedCall(exchange, reading, plane, exchange.run).start();
  };
  const pinned = pinnedTo(exchange, reading, key, plane);
  return pinned instanceof Promise ? pinned.then(begin) : begin(pinned);
}

function contextOf(exchange: Exchange, key: KeyRecord, pinned: string | null): RouteContext {
  const { plan, candidates, startedMs, stream } = exchange;
  return {
    startedMs,
    affinityKey: plan?.usesAffinity === true ? conversationKey(key.id, sessionOf(exchange), exchange.body) : null,
    pinned,
    isStream: stream,
    canServe: plan?.chain === null ? null : (one) => candidates.includes(one),
  };
}

function sessionOf(exchange: Exchange): string | null {
  for (const name of SESSION_HEADERS) {
    const session = exchange.header(name);
    if (session !== undefined && session !== '') return session;
  }
  return null;
}

/** The target that made the answer a Responses call goes on from: nobody else knows it. */
function pinnedTo(
  { plan, operation, body }: Exchange,
  reading: Reading,
  { orgId }: KeyRecord,
  plane: DataPlane,
): string | null | Promise<string | null> {
  if (plan === null || plan.chain === null || operation !== 'responses') return null;
  const span = reading.fields.get('previous_response_id');
  const id = span === undefined ? null : parseSpan(body, span);
  return typeof id === 'string' ? plane.responses.find(orgId, id) : null;
}
