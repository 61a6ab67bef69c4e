import type { KeyRecord } from '#libs/keys-budgets/index.js';
import type { UsageEvent } from '#libs/ledger/index.js';
import type { Target } from '#libs/routing/index.js';
import type { Exchange } from './exchange.js';
import { wayTo } from './way.js';

/** What a key says of its calls, as the beginning of a JSON object; written once per key. */
const heads = new WeakMap<KeyRecord, string>();

function headOf(key: KeyRecord): string {
  let head = heads.get(key);
  if (head === undefined) {
    const { id, name, team, user, app, tags } = key;
    head = JSON.stringify({ keyId: id, keyName: name, team, user, app, tags }).slice(0, -1);
    heads.set(key, head);
  }
  return head;
}

/**
 * The usage event as far as it is known before the call, as a JSON object on one line. It becomes the row when nobody ends
 * the call. Id, organisation and cost stand beside it in the row.
 *
 * @param isOfItsOwn the row of an attempt beside that of its request
 */
export function draftOf(exchange: Exchange, key: KeyRecord, target: Target, attempts = 1, isOfItsOwn = false): string {
  const known: Partial<UsageEvent> = {
    route: exchange.endpoint.route,
    dialect: (wayTo(exchange, target) ?? exchange.endpoint).dialect.name,
    provider: target.provider.name,
    modelRequested: exchange.modelRequested,
    model: target.model,
    stream: exchange.stream,
    attempts,
    chain: exchange.plan?.chain ?? null,
    requestId: isOfItsOwn ? exchange.id : null,
    traceId: traceIdOf(exchange),
  };
  return `${headOf(key)},${JSON.stringify(known).slice(1)}`;
}

/** What is known of a call when it is over. */
export type CallEnd = Pick<
  UsageEvent,
  | 'status'
  | 'upstreamStatus'
  | 'error'
  | 'usage'
  | 'usageSource'
  | 'priceVersion'
  | 'costEstimates'
  | 'latencyMs'
  | 'firstByteMs'
>;

/** The finished event: its draft and its end. */
export function eventText(draft: string, end: CallEnd): string {
  return `${draft.slice(0, -1)},${JSON.stringify(end).slice(1)}`;
}

/** The trace the caller is in (W3C `traceparent`), `null` without one. */
function traceIdOf(exchange: Exchange): string | null {
  return /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(exchange.header('traceparent') ?? '')?.[1] ?? null;
}
