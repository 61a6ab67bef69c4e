import type { IncomingHttpHeaders } from 'node:http';
import type { BudgetState, LimitRefusal } from '#libs/keys-budgets/index.js';
import { safeNanosToUsdText } from '#libs/platform/money.js';
import { routeHeaders } from '#libs/routing/index.js';
import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';
import { connectionListed } from './request-headers.js';
import { scrubText } from './scrub.js';

export type OutgoingHeaders = Record<string, string | number | string[]>;

/** Answer headers that end at the gateway: hop-by-hop ones, and what tells of the upstream's host, account or cookies. */
const STOPPED: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'set-cookie',
  'alt-svc',
  'via',
  'server',
  'strict-transport-security',
  'location',
  'content-location',
  'refresh',
  'link',
  'www-authenticate',
  'x-powered-by',
  'openai-organization',
  'openai-project',
  'anthropic-organization-id',
  'x-request-id',
  'report-to',
  'nel',
  'cf-ray',
  'cf-cache-status',
]);

/** What a translated answer keeps: how clients are to wait and cache. The rest speaks of an account in another dialect. */
const KEPT_IN_TRANSLATION: ReadonlySet<string> = new Set([
  'content-type',
  'cache-control',
  'retry-after',
  'retry-after-ms',
  'x-should-retry',
]);

/** Names under which providers tell the id of a call, which their support asks for. */
const REQUEST_ID_NAMES = ['x-request-id', 'request-id', 'apim-request-id', 'x-amzn-requestid'] as const;

/** Headers of ours on every answer: the request's id, where it was served, and whether the connection ends. */
export function ownHeaders(exchange: Exchange, plane: DataPlane): OutgoingHeaders {
  const headers: OutgoingHeaders = { 'x-request-id': exchange.id };
  const { attempt } = exchange;
  if (attempt !== null) {
    headers['x-smartflow-provider'] = attempt.target.provider.name;
    headers['x-smartflow-model'] = encodeHeader(attempt.target.model);
  }
  const isOurs = attempt === null || attempt.upstreamStatus === null || isTranslated(exchange);
  if (exchange.endpoint.dialect.name === 'anthropic' && isOurs) headers['request-id'] = exchange.id;
  if (exchange.run !== null) Object.assign(headers, routeHeaders(exchange.run));
  const { dropped } = attempt ?? exchange;
  if (dropped.length > 0) headers['x-smartflow-dropped'] = encodeHeader(dropped.join(','));
  if (exchange.ticket !== null)
    Object.assign(headers, exchange.endpoint.dialect.rateHeaders(exchange.ticket.state(), Date.now()));
  if (plane.draining) headers.connection = 'close';
  return headers;
}

/**
 * The tightest budget of the call (KEY-3), and what a clamp left of the answer's length.
 * @param freedNanos what of the money set aside for the call is known to be free again
 */
export function budgetHeaders({ admission, attempt }: Exchange, plane: DataPlane, freedNanos: number): OutgoingHeaders {
  const state = admission === null ? null : plane.budgets.tightest(admission.set, freedNanos);
  if (state === null) return {};
  const headers = stateHeaders(state, state.remainingNanos);
  if (attempt !== null && attempt.isClamped && attempt.maxTokens !== null)
    headers['x-smartflow-budget-max-tokens'] = attempt.maxTokens;
  return headers;
}

/** The budget that was short. What it has left is of no use to the call. */
export function refusedBudgetHeaders(state: BudgetState): OutgoingHeaders {
  return stateHeaders(state, 0);
}

function stateHeaders({ limitNanos, resetMs, scope }: BudgetState, remainingNanos: number): OutgoingHeaders {
  return {
    'x-smartflow-budget-remaining': safeNanosToUsdText(remainingNanos),
    'x-smartflow-budget-limit': safeNanosToUsdText(limitNanos),
    'x-smartflow-budget-scope': scope,
    ...(resetMs === null ? {} : { 'x-smartflow-budget-reset': new Date(resetMs).toISOString() }),
  };
}

/** Which limit refused the call, in the dialect's names and in ours. */
export function limitHeaders(exchange: Exchange, refusal: LimitRefusal): OutgoingHeaders {
  return {
    ...exchange.endpoint.dialect.rateHeaders(refusal.state, Date.now()),
    'x-smartflow-limit': refusal.measure,
    'x-smartflow-limit-scope': refusal.scope,
    'x-smartflow-limit-value': refusal.limit,
  };
}

/**
 * The upstream's headers without those that end here, plus ours. Where the answer is translated, those of the provider's
 * dialect end here too: its rate limits and ids would be read as those of another API.
 */
export function answerHeaders(exchange: Exchange, plane: DataPlane, upstream: IncomingHttpHeaders): OutgoingHeaders {
  const headers: OutgoingHeaders = {};
  const listed = connectionListed(upstream.connection);
  const translated = isTranslated(exchange);
  const credentials = exchange.target?.provider.credentials ?? [];
  for (const name in upstream) {
    const value = upstream[name];
    if (value === undefined || STOPPED.has(name) || name.startsWith('x-smartflow-') || listed?.has(name) === true)
      continue;
    if (translated && !KEPT_IN_TRANSLATION.has(name)) continue;
    headers[name] =
      typeof value === 'string' ? scrubText(value, credentials) : value.map((one) => scrubText(one, credentials));
  }
  for (const name of REQUEST_ID_NAMES) {
    const id = upstream[name];
    if (typeof id !== 'string') continue;
    headers['x-smartflow-upstream-request-id'] = scrubText(id, credentials);
    break;
  }
  return Object.assign(headers, ownHeaders(exchange, plane));
}

function isTranslated({ attempt }: Exchange): boolean {
  return attempt !== null && attempt.way.translator !== null;
}

/** A model name may hold anything; a header value may not. */
function encodeHeader(value: string): string {
  return /^[\x21-\x7e]*$/.test(value) ? value : encodeURIComponent(value.toWellFormed());
}
