import type { TokenUsage } from '#libs/dialects/index.js';
import { priceCall, type CallPrice } from '#libs/pricing/index.js';
import type { ErrorCode } from '#libs/platform/errors.js';
import type { CapturedBody } from './capture.js';
import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';

/** How a call ended. */
export interface Outcome {
  readonly usage: TokenUsage | null;
  /** False when the answer broke off: the usage is what was seen until then. */
  readonly complete: boolean;
  readonly error: ErrorCode | 'client_gone' | null;
  /** What the caller got, for the archive. */
  readonly captured: CapturedBody | null;
  /** When it was worked out already, to stand in the answer's headers. */
  readonly price?: CallPrice;
}

const STATUS_CLIENT_GONE = 499;
const FREE: CallPrice = { costNanos: 0, priceVersion: null, components: [], estimates: [] };
/** The provider reported counts that are none. */
const UNCOUNTABLE: CallPrice = { ...FREE };

/** Stage 10: prices the call and leaves exactly one usage event; the caller does not wait for what becomes of it. */
export function settle(exchange: Exchange, plane: DataPlane, outcome: Outcome): void {
  if (exchange.settled) return;
  exchange.settled = true;
  exchange.ticket?.settle(tokensUsed(exchange, outcome));
  const price = outcome.price ?? priceOf(exchange, plane, outcome.usage);
  const { target, key } = exchange;
  if (target === null || key === null) return;
  const status = outcome.error === 'client_gone' ? STATUS_CLIENT_GONE : exchange.response.statusCode;
  const latencyMs = performance.now() - exchange.startedMs;
  plane.usage.record({
    id: exchange.id,
    orgId: key.orgId,
    keyId: key.id,
    keyName: key.name,
    team: key.team,
    user: key.user,
    app: key.app,
    tags: key.tags,
    route: exchange.endpoint.route,
    dialect: exchange.endpoint.dialect.name,
    provider: target.provider.name,
    modelRequested: exchange.modelRequested,
    model: target.model,
    stream: exchange.stream,
    status,
    upstreamStatus: exchange.upstreamStatus,
    error: outcome.error,
    usage: outcome.usage,
    usageSource: outcome.usage === null ? 'none' : outcome.complete ? 'measured' : 'partial',
    costNanos: price.costNanos,
    priceVersion: price.priceVersion,
    costEstimates: price.estimates,
    latencyMs: Math.round(latencyMs),
    firstByteMs: exchange.firstByteMs === null ? null : Math.round(exchange.firstByteMs),
    attempts: 1,
    traceId: traceIdOf(exchange),
  });
  plane.metrics.called(exchange, status, latencyMs, outcome.usage, price.costNanos);
  if (exchange.boundNanos !== null && outcome.complete && price.priceVersion !== null) {
    plane.metrics.billed(target, price.costNanos, exchange.boundNanos);
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

/** What counts against limits of tokens; `null` when nobody knows what the provider has done: the estimate stays. */
function tokensUsed({ upstreamStatus }: Exchange, { usage, error }: Outcome): number | null {
  if (usage !== null) return usage.inputTokens + usage.outputTokens;
  return error === 'upstream_unreachable' || (upstreamStatus ?? 0) >= 400 ? 0 : null;
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

/** The trace the caller is in (W3C `traceparent`), `null` without one. */
function traceIdOf(exchange: Exchange): string | null {
  return /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(exchange.header('traceparent') ?? '')?.[1] ?? null;
}

/** A copy where something is left out: a view would keep the whole body in memory for as long as it waits. */
function cut(body: Buffer, maxBytes: number): Buffer {
  return body.length <= maxBytes ? body : Buffer.from(body.subarray(0, maxBytes));
}
