import type { TokenUsage } from '#libs/dialects/index.js';
import { newId } from '#libs/platform/ids.js';
import type { Attempt } from '#libs/routing/index.js';
import { draftOf, eventText } from './call-event.js';
import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';
import { bookedNanos, priceOf } from './settle.js';

/** How an attempt ended that another one follows. */
export interface FailedAttempt {
  readonly attempt: Attempt;
  readonly usage: TokenUsage | null;
  /** The provider ended its answer itself: the usage is the whole one. */
  readonly complete: boolean;
  /** Something went upstream. */
  readonly sent: boolean;
  readonly upstreamStatus: number | null;
}

/**
 * What a failed attempt cost, or may have cost, becomes a row of its own with money of its own, before the next attempt
 * begins: the money set aside for the request is for that one (ADR 0010). An attempt that cost nothing leaves no row; the
 * request's says how many there were.
 *
 * @returns false when no budget has the money or it cannot be booked: there must be no further attempt
 */
export function billAttempt(exchange: Exchange, plane: DataPlane, failed: FailedAttempt): boolean | Promise<boolean> {
  const { key, target, admission } = exchange;
  if (key === null || target === null || admission === null) return false;
  const { usage, complete, sent, attempt, upstreamStatus } = failed;
  const price = priceOf(exchange, plane, usage);
  const costNanos = bookedNanos(exchange, { usage, complete, sent }, price);
  const latencyMs = performance.now() - attempt.startedMs;
  const status = upstreamStatus ?? 0;
  plane.metrics.called(exchange, status, latencyMs, usage, price.costNanos);
  if (usage === null && costNanos === 0) return true;
  const draft = draftOf(exchange, key, target, attempt.number, true);
  const event = eventText(draft, {
    status,
    upstreamStatus,
    error: 'upstream_failed',
    usage,
    usageSource: usage === null ? 'none' : complete ? 'measured' : 'partial',
    priceVersion: price.priceVersion,
    costEstimates: price.estimates,
    latencyMs: Math.round(latencyMs),
    firstByteMs: null,
  });
  return book(exchange, plane, { costNanos, seenNanos: price.costNanos, event, draft });
}

interface Bill {
  /** `null`: nobody knows; the bound of the attempt is booked. */
  readonly costNanos: number | null;
  /** What the reported usage costs. */
  readonly seenNanos: number;
  readonly event: string;
  readonly draft: string;
}

async function book(
  exchange: Exchange,
  plane: DataPlane,
  { costNanos, seenNanos, event, draft }: Bill,
): Promise<boolean> {
  const set = exchange.admission?.set;
  if (set === undefined) return false;
  const nanos = costNanos ?? Math.max(exchange.boundNanos ?? 0, seenNanos);
  const admitted = await plane.budgets.admit({ id: newId('req'), set, minNanos: nanos, wantNanos: nanos, draft });
  if (!admitted.ok || !(await admitted.written)) return false;
  plane.budgets.settle(admitted, costNanos, event, seenNanos);
  return true;
}
