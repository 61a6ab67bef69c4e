import type { BudgetSet } from '#libs/keys-budgets/index.js';
import { newId } from '#libs/platform/ids.js';
import { draftOf, eventText } from './call-event.js';
import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';
import { bookedNanos, priceOf, type Bill } from './settle.js';
import type { UpstreamAttempt } from './upstream-attempt.js';

/**
 * What the latest attempt, which failed, cost or may have cost becomes a row of its own with money of its own, before the
 * next attempt begins: the money set aside for the request is for that one (ADR 0010). An attempt that cost nothing leaves no
 * row; the request's says how many there were.
 *
 * @returns false when no budget has the money or it cannot be booked: there must be no further attempt
 */
export function billAttempt(
  exchange: Exchange,
  plane: DataPlane,
  attempt: UpstreamAttempt,
  bill: Bill,
): boolean | Promise<boolean> {
  const { key, admission } = exchange;
  if (key === null || admission === null) return false;
  const { usage, complete } = bill;
  const { planned, target, upstreamStatus, boundNanos } = attempt;
  const price = priceOf(exchange, plane, usage);
  const costNanos = bookedNanos(exchange, bill, price);
  const latencyMs = performance.now() - planned.startedMs;
  const status = upstreamStatus ?? 0;
  attempt.isCounted = true;
  plane.metrics.called(exchange, status, latencyMs, usage, price.costNanos);
  if (usage === null && costNanos === 0) return true;
  const draft = draftOf(exchange, key, target, planned.number, true);
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
  return book(admission.set, plane, { costNanos, seenNanos: price.costNanos, boundNanos, event, draft });
}

interface Booking {
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
  { costNanos, seenNanos, boundNanos, event, draft }: Booking,
): Promise<boolean> {
  const nanos = costNanos ?? Math.max(boundNanos, seenNanos);
  const admitted = await budgets.admit({ id: newId('req'), set, minNanos: nanos, wantNanos: nanos, draft });
  if (!admitted.ok || !(await admitted.written)) return false;
  budgets.settle(admitted, costNanos, event, seenNanos);
  return true;
}
