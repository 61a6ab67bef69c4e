import { refusedAlert, type Alert } from '#libs/alerts/index.js';
import type { BudgetRefusal, KeyRecord } from '#libs/keys-budgets/index.js';
import { periodAt } from '#libs/platform/zoned-time.js';

/** Where alerts go from the data plane: never awaited, never throws, told once however often they are raised. */
export interface AlertSink {
  raise(alert: Alert): void;
}

/** A budget could not pay a call: a hard one rarely comes to its very end, so that is when somebody should know (KEY-7). */
export function tellRefusal(alerts: AlertSink, key: KeyRecord | null, { state }: BudgetRefusal): void {
  const budget = key?.budgets.find(({ id }) => id === state.budgetId);
  if (key === null || budget === undefined) return;
  const atMs = Date.now();
  const { period: kind, timeZone, weekStart } = budget;
  const period = periodAt({ kind, timeZone, weekStart }, atMs).name;
  alerts.raise(
    refusedAlert({ ...budget, orgId: key.orgId, isHard: true }, { period, leftNanos: state.remainingNanos, atMs }),
  );
}
