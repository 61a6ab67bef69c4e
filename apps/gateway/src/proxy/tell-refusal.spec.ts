import type { Alert } from '#libs/alerts/index.js';
import { BudgetRefusal, type KeyRecord } from '#libs/keys-budgets/index.js';
import { tellRefusal } from './tell-refusal.js';

describe('tellRefusal', () => {
  it('KEY-7: names the period that refused, whatever the clock says by then', () => {
    const id = 'key:k:daily';
    const owned = { id, scope: 'key', ownerName: 'k', limitNanos: 9, period: 'daily', timeZone: 'UTC', weekStart: 1 };
    const key = { orgId: 'org_default', budgets: [{ ...owned, mode: 'strict', warnAt: [] }] } as unknown as KeyRecord;
    const state = {
      budgetId: id,
      scope: 'key',
      mode: 'strict',
      limitNanos: 9,
      remainingNanos: 1,
      period: 'd2001-02-03',
      resetMs: Date.UTC(2001, 1, 4),
    } as const;
    const raised: Alert[] = [];
    tellRefusal({ raise: (alert) => raised.push(alert) }, key, new BudgetRefusal(state, 'k', 5));
    expect(raised).toMatchObject([{ data: { periodName: 'd2001-02-03' } }]);
    expect(raised[0]?.dedupeKey).toContain('d2001-02-03');
  });
});
