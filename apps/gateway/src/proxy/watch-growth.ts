import { OutgrowthWatch } from './outgrowth.js';
import type { RoutedCall } from './routed-call.js';

/** Watches an answer that may outgrow what is set aside for it; `null` without a hard budget. */
export function watchGrowth(call: RoutedCall): OutgrowthWatch | null {
  const { growth, admission } = call.exchange;
  if (growth === null || admission === null) return null;
  return new OutgrowthWatch(
    growth,
    (moreNanos) => call.plane.budgets.extend(admission, moreNanos),
    () => call.abort('budget_exceeded'),
  );
}
