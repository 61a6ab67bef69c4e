import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';
import { OutgrowthWatch } from './outgrowth.js';
import type { UpstreamAttempt } from './upstream-attempt.js';

/**
 * Watches an answer that may outgrow what is set aside for it; `null` without a hard budget.
 * @param onRefused the budgets have no more: the call must end
 */
export function watchGrowth(
  { admission }: Exchange,
  attempt: UpstreamAttempt,
  { budgets }: DataPlane,
  onRefused: () => void,
): OutgrowthWatch | null {
  const { growth } = attempt;
  if (growth === null || admission === null) return null;
  const extend = async (moreNanos: number): Promise<boolean> => {
    const isGranted = await budgets.extend(admission, moreNanos);
    if (isGranted) attempt.boundNanos += moreNanos;
    return isGranted;
  };
  return new OutgrowthWatch(growth, extend, onRefused);
}
