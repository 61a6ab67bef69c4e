import { refusedAlert, type Alert } from '#libs/alerts/index.js';
import type { BudgetRefusal, KeyRecord } from '#libs/keys-budgets/index.js';

/** Where alerts go from the data plane: never awaited, never throws, told once however often they are raised. */
export interface AlertSink {
  raise(alert: Alert): void;
}

/** A budget could not pay a call: a hard one rarely comes to its very end, so that is when somebody should know (KEY-7). */
export function tellRefusal(alerts: AlertSink, key: KeyRecord | null, { state }: BudgetRefusal): void {
  const budget = key?.budgets.find(({ id }) => id === state.budgetId);
  if (key === null || budget === undefined) return;
  // The period that refused: at a period's edge the clock may already stand in the next one.
  const { period, remainingNanos: leftNanos } = state;
  alerts.raise(refusedAlert({ ...budget, orgId: key.orgId, isHard: true }, { period, leftNanos, atMs: Date.now() }));
}
