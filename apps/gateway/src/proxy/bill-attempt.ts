import type { TokenUsage } from '#libs/dialects/index.js';
import type { BudgetSet } from '#libs/keys-budgets/index.js';
import { newId } from '#libs/platform/ids.js';
import { draftOf, eventText } from './call-event.js';
import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';
import { bookedNanos, priceOf } from './settle.js';
import type { UpstreamAttempt } from './upstream-attempt.js';

/** How an attempt ended that another one follows. */
export interface FailedAttempt {
  readonly attempt: UpstreamAttempt;
  readonly usage: TokenUsage | null;
  /** The provider ended its answer itself: the usage is the whole one. */
  readonly isWhole: boolean;
  /** Something went upstream. */
  readonly sent: boolean;
}

/**
 * What the latest attempt, which failed, cost or may have cost becomes a row of its own with money of its own, before the
 * next attempt begins: the money set aside for the request is for that one (ADR 0010). An attempt that cost nothing leaves no
 * row; the request's says how many there were.
 *
 * @returns false when no budget has the money or it cannot be booked: there must be no further attempt
 */
export function billAttempt(exchange: Exchange, plane: DataPlane, failed: FailedAttempt): boolean | Promise<boolean> {
  const { key, admission } = exchange;
  if (key === null || admission === null) return false;
  const { usage, isWhole, sent, attempt } = failed;
  const { planned, target, upstreamStatus, boundNanos } = attempt;
  const price = priceOf(exchange, plane, usage);
  const costNanos = bookedNanos(exchange, { usage, complete: isWhole, sent }, price);
  const latencyMs = performance.now() - planned.startedMs;
  const status = upstreamStatus ?? 0;
  plane.metrics.called(exchange, status, latencyMs, usage, price.costNanos);
  if (usage === null && costNanos === 0) return true;
  const draft = draftOf(exchange, key, target, planned.number, true);
  const event = eventText(draft, {
    status,
    upstreamStatus,
    error: 'upstream_failed',
    usage,
    usageSource: usage === null ? 'none' : isWhole ? 'measured' : 'partial',
    priceVersion: price.priceVersion,
    costEstimates: price.estimates,
    latencyMs: Math.round(latencyMs),
    firstByteMs: null,
  });
  return book(admission.set, plane, { costNanos, seenNanos: price.costNanos, boundNanos, event, draft });
}

interface Bill {
  /** `null`: nobody knows; the bound of the attempt is booked. */
  readonly costNanos: number | null;
  /** What the reported usage costs. */
  readonly seenNanos: number;
  readonly boundNanos: number;
  readonly event: string;
  readonly draft: string;
}

async function book(
  set: BudgetSet,
  { budgets }: DataPlane,
  { costNanos, seenNanos, boundNanos, event, draft }: Bill,
): Promise<boolean> {
  const nanos = costNanos ?? Math.max(boundNanos, seenNanos);
  const admitted = await budgets.admit({ id: newId('req'), set, minNanos: nanos, wantNanos: nanos, draft });
  if (!admitted.ok || !(await admitted.written)) return false;
  budgets.settle(admitted, costNanos, event, seenNanos);
  return true;
}
