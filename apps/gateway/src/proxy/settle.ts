import type { TokenUsage } from '#libs/dialects/index.js';
import { priceCall, type CallPrice } from '#libs/pricing/index.js';
import type { ErrorCode } from '#libs/platform/errors.js';
import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';

/** How a call ended. */
export interface Outcome {
  readonly usage: TokenUsage | null;
  /** False when the answer broke off: the usage is what was seen until then. */
  readonly complete: boolean;
  readonly error: ErrorCode | 'client_gone' | null;
  /** What the caller got, for the archive. */
  readonly captured: { readonly body: Buffer; readonly truncated: boolean } | null;
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
  if (outcome.usage !== null && price !== UNCOUNTABLE) plane.unpriced.note(target, price);
  if (outcome.captured !== null) {
    plane.bodies?.capture({
      id: exchange.id,
      orgId: key.orgId,
      keyId: key.id,
      model: target.model,
      requestBody: exchange.received,
      responseBody: outcome.captured.body,
      truncated: outcome.captured.truncated,
    });
  }
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

/** Nano-dollars as decimal USD, exact. */
export function nanosToUsd(nanos: number): string {
  const whole = Math.floor(nanos / 1e9);
  const fraction = String(nanos % 1e9)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return fraction === '' ? String(whole) : `${whole}.${fraction}`;
}

/** The trace the caller is in (W3C `traceparent`), `null` without one. */
function traceIdOf(exchange: Exchange): string | null {
  return /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(exchange.header('traceparent') ?? '')?.[1] ?? null;
}
