import type { TokenUsage } from '#libs/dialects/index.js';
import { priceCall, type CallPrice } from '#libs/pricing/index.js';
import type { ErrorCode } from '#libs/platform/errors.js';
import type { CapturedBody } from './capture.js';
import { draftOf, eventText } from './call-event.js';
import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';
import { isFree } from './require-price.js';

/** How a call ended. */
export interface Outcome {
  readonly usage: TokenUsage | null;
  /** False when the answer broke off: the usage is what was seen until then. */
  readonly complete: boolean;
  readonly error: ErrorCode | 'client_gone' | null;
  /** False when nothing of the call went upstream: it costs nothing. */
  readonly sent: boolean;
  /** What the caller got, for the archive. */
  readonly captured: CapturedBody | null;
  /** When it was worked out already, to stand in the answer's headers. */
  readonly price?: CallPrice;
}

/** What a row has to say of an attempt. */
export type Bill = Pick<Outcome, 'usage' | 'complete' | 'sent'>;
/** Nothing was sent, or it stands in a row of its own. */
export const NO_BILL: Bill = { usage: null, complete: false, sent: false };

const STATUS_CLIENT_GONE = 499;
/** Anthropic's `overloaded_error`. */
const STATUS_OVERLOADED = 529;
const FREE: CallPrice = { costNanos: 0, priceVersion: null, components: [], estimates: [] };
/** The provider reported counts that are none. */
const UNCOUNTABLE: CallPrice = { ...FREE };

/** Stage 10: prices the call and leaves exactly one row; the caller does not wait for what becomes of it. */
export function settle(exchange: Exchange, plane: DataPlane, outcome: Outcome): void {
  if (exchange.settled) return;
  exchange.settled = true;
  try {
    record(exchange, plane, outcome);
  } catch (error) {
    // A fault of ours: the money is not known, but held no longer, and the row is there. Ending a call twice changes nothing.
    const { admission } = exchange;
    if (admission !== null) plane.budgets.settle(admission, null, admission.draft);
    throw error;
  }
}

function record(exchange: Exchange, plane: DataPlane, outcome: Outcome): void {
  const { attempt, ticket, failedTokens } = exchange;
  const tokens = tokensUsed(exchange, outcome);
  ticket?.settle(failedTokens === 0 ? tokens : failedTokens + (tokens ?? ticket.tokens));
  attempt?.ticket?.settle(tokens);
  const price = outcome.price ?? priceOf(exchange, plane, outcome.usage);
  const { target, key, admission } = exchange;
  if (target === null || key === null || admission === null) return;
  const status = outcome.error === 'client_gone' ? STATUS_CLIENT_GONE : exchange.response.statusCode;
  const latencyMs = performance.now() - exchange.startedMs;
  const attempts = exchange.run?.attempts.length ?? 1;
  const draft =
    attempts === 1 && exchange.plan?.chain == null ? admission.draft : draftOf(exchange, key, target, attempts);
  const event = eventText(draft, {
    status,
    upstreamStatus: attempt?.upstreamStatus ?? null,
    error: outcome.error,
    usage: outcome.usage,
    usageSource: outcome.usage === null ? 'none' : outcome.complete ? 'measured' : 'partial',
    priceVersion: price.priceVersion,
    costEstimates: price.estimates,
    latencyMs: Math.round(latencyMs),
    firstByteMs: attempt === null || attempt.firstByteMs === null ? null : Math.round(attempt.firstByteMs),
  });
  plane.budgets.settle(admission, bookedNanos(exchange, outcome, price), event, price.costNanos, attempt?.boundNanos);
  if (attempt?.isCounted !== true) {
    plane.metrics.called(exchange, status, latencyMs, outcome.usage, price.costNanos);
  }
  // Without a hard budget no maximum was sent along, and the bound is none.
  const boundNanos = attempt?.boundNanos ?? 0;
  if (boundNanos > 0 && admission.set.hasHard && outcome.complete && price.priceVersion !== null) {
    plane.metrics.billed(target, price.costNanos, boundNanos);
  }
  if (outcome.usage !== null && price !== UNCOUNTABLE) plane.unpriced.note(target, price);
  if (outcome.captured !== null && plane.bodies !== null) {
    plane.bodies.capture({
      id: exchange.id,
      orgId: key.orgId,
      keyId: key.id,
      model: target.model,
      requestBody: cut(exchange.received, plane.bodies.maxBodyBytes),
      responseBody: outcome.captured.body,
      truncated: outcome.captured.truncated || exchange.received.length > plane.bodies.maxBodyBytes,
    });
  }
}

/**
 * What is charged: the price of the usage where the provider told all of it, nothing where it did no work, else `null`:
 * nobody knows, and the row stands at the bound of the attempt, or at what was seen where that is more.
 */
export function bookedNanos(exchange: Exchange, { usage, complete, sent }: Bill, price: CallPrice): number | null {
  if (usage !== null) return complete && price !== UNCOUNTABLE ? price.costNanos : null;
  return !sent || isRefused(exchange) || isFree(exchange.operation) ? 0 : null;
}

/** The provider turned the call away: nothing was generated. Any other 5xx may come after the work was done, and is billed. */
function isRefused({ attempt }: Exchange): boolean {
  const upstreamStatus = attempt?.upstreamStatus ?? 0;
  return (upstreamStatus >= 400 && upstreamStatus < 500) || upstreamStatus === STATUS_OVERLOADED;
}

/** What of the money set aside is free again once an answer that is there as a whole is booked. */
export function freedNanos(exchange: Exchange, usage: TokenUsage | null, price: CallPrice): number {
  const boundNanos = exchange.admission?.boundNanos ?? 0;
  const bookedAs = bookedNanos(exchange, { usage, complete: true, sent: true }, price);
  return boundNanos - (bookedAs ?? exchange.attempt?.boundNanos ?? boundNanos);
}

/** What counts against limits of tokens; `null` when nobody knows what the provider has done: the estimate stays. */
export function tokensUsed(
  exchange: Exchange,
  { usage, sent, error }: Pick<Outcome, 'usage' | 'sent' | 'error'>,
): number | null {
  if (usage !== null) return usage.inputTokens + usage.outputTokens;
  return !sent || error === 'upstream_unreachable' || isRefused(exchange) ? 0 : null;
}

/** What the usage costs at the price in force when the call began; free when nothing was reported. */
export function priceOf(exchange: Exchange, plane: DataPlane, usage: TokenUsage | null): CallPrice {
  const { target, key } = exchange;
  if (usage === null || target === null || key === null) return FREE;
  try {
    return priceCall(plane.prices, {
      provider: target.provider,
      model: target.model,
      usage,
      atMs: exchange.startedAtMs,
      overrides: exchange.snapshot.priceOverrides.of(key.orgId),
    });
  } catch (error) {
    // Impossible counts are an upstream's mistake: the row keeps them as received, but they do not become money.
    plane.log.warn({ requestId: exchange.id, err: error }, 'the reported usage cannot be priced');
    return UNCOUNTABLE;
  }
}

/** A copy where something is left out: a view would keep the whole body in memory for as long as it waits. */
function cut(body: Buffer, maxBytes: number): Buffer {
  return body.length <= maxBytes ? body : Buffer.from(body.subarray(0, maxBytes));
}
