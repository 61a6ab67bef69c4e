import type { Alert } from './alert.js';
import type { UnpricedModel } from './texts.js';
import { SpendWatch, type SpentInPeriod, type WatchedBudget } from './watch-spend.js';

const NOW_MS = Date.parse('2026-11-21T12:00:00Z');
const budget = (changes: Partial<WatchedBudget> = {}): WatchedBudget => ({
  orgId: 'o',
  id: 'team:red:monthly',
  scope: 'team',
  ownerName: 'red',
  limitNanos: 10_000_000_000,
  period: 'monthly',
  isHard: true,
  warnAt: [0.5, 0.8],
  ...changes,
});
const spent = (usd: number, changes: Partial<SpentInPeriod> = {}): SpentInPeriod => ({
  orgId: 'o',
  budgetId: 'team:red:monthly',
  period: 'm2026-11',
  spentNanos: BigInt(Math.round(usd * 1e9)),
  ...changes,
});

/** A watch over made-up spending; `fails`: the outbox is away. */
function rig(known: readonly WatchedBudget[]) {
  const state = {
    spent: [] as SpentInPeriod[],
    unpriced: [] as UnpricedModel[],
    fails: false,
    told: [] as Alert[],
    from: [] as number[],
  };
  const watch = new SpendWatch({
    spend: {
      spent: async () => state.spent,
      unpricedSince: async (fromMs) => {
        state.from.push(fromMs);
        return state.unpriced;
      },
    },
    budgets: async () => ({ find: (orgId, id) => known.find((one) => one.orgId === orgId && one.id === id) ?? null }),
    outbox: {
      add: async (alerts) => {
        if (state.fails) throw new Error('away');
        state.told.push(...alerts);
        return alerts.length;
      },
    },
    clock: { now: () => NOW_MS, monotonic: () => 0 },
  });
  /** Looks when it has rested: a look rests nineteen times as long as it took. */
  const look = async (): Promise<string[]> => {
    const before = state.told.length;
    for (let i = 0; i < 40; i++) {
      await watch.look();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return state.told.slice(before).map(({ subject }) => subject);
  };
  return { state, watch, look };
}

describe('watching what is spent', () => {
  it('KEY-7: each share is told when it is reached, from below it is not, and all of it as "exhausted"', async () => {
    const { state, look } = rig([budget()]);
    state.spent = [spent(4.999999999)];
    expect(await look()).toEqual([]);
    state.spent = [spent(5)];
    expect(await look()).toEqual(['Budget of team red: 50 % of $10.00 spent']);
    state.spent = [spent(12.5)];
    expect(await look()).toEqual(['Budget of team red: 80 % of $10.00 spent', 'Budget of team red is exhausted']);
    expect(await look()).toEqual([]);
    expect(state.told.at(-1)?.data).toEqual({
      budget: 'team:red:monthly',
      scope: 'team',
      owner: 'red',
      period: 'monthly',
      periodName: 'm2026-11',
      limitUsd: '10',
      spentUsd: '12.5',
      share: 1.25,
    });
  });

  it('KEY-7: a new period, a raised limit and a new share are new; another worker makes the same name', async () => {
    const keys = async (known: WatchedBudget, what: SpentInPeriod): Promise<string[]> => {
      const { state, look } = rig([known]);
      state.spent = [what];
      await look();
      return state.told.map(({ dedupeKey }) => dedupeKey);
    };
    const first = await keys(budget(), spent(6));
    expect(first).toHaveLength(1);
    expect(await keys(budget(), spent(7))).toEqual(first);
    for (const [known, what] of [
      [budget(), spent(6, { period: 'm2026-12' })],
      [budget({ limitNanos: 11_000_000_000 }), spent(6)],
      [budget({ warnAt: [0.6] }), spent(6)],
    ] as const) {
      expect(await keys(known, what)).not.toEqual(first);
    }
  });

  it('KEY-7: a budget without thresholds tells of its end; a soft one is never called exhausted', async () => {
    const soft = budget({ id: 'team:red:monthly:soft', isHard: false, warnAt: [] });
    const { state, look } = rig([budget({ warnAt: [] }), soft]);
    state.spent = [spent(10), spent(10, { budgetId: soft.id })];
    expect(await look()).toEqual(['Budget of team red is exhausted', 'Budget of team red: 100 % of $10.00 spent']);
    expect(state.told.map(({ kind }) => kind)).toEqual(['budget.exhausted', 'budget.threshold']);
  });

  it('KEY-7: sums of a budget that is no more, or of another organisation, are nobody’s alert', async () => {
    const { state, look } = rig([budget()]);
    state.spent = [spent(99, { budgetId: 'team:blue:monthly' }), spent(99, { orgId: 'p' })];
    expect(await look()).toEqual([]);
  });

  it('OPS-3: what could not be kept is offered again', async () => {
    const { state, watch, look } = rig([budget()]);
    state.spent = [spent(5)];
    state.fails = true;
    await expect(watch.look()).rejects.toThrow('away');
    state.fails = false;
    expect(await look()).toHaveLength(1);
  });

  it('KEY-5: a model without a price is told once a day; the first look goes back a day, later ones an hour', async () => {
    const { state, look } = rig([]);
    const model = { orgId: 'o', provider: 'p', model: 'm\n1', day: '2026-11-20', calls: 3 };
    state.unpriced = [model, { ...model, day: '2026-11-21' }];
    expect(await look()).toEqual(['p/m 1 has no price', 'p/m 1 has no price']);
    expect(new Set(state.told.map(({ dedupeKey }) => dedupeKey)).size).toBe(2);
    expect(state.from).toEqual([NOW_MS - 24 * 3_600_000]);
  });
});
