import type { Alert } from './alert.js';
import { StoreWatch } from './watch-stores.js';

function rig() {
  const state = {
    nowMs: Date.parse('2026-11-21T12:00:00Z'),
    away: new Set<string>(),
    fails: false,
    told: [] as Alert[],
  };
  const watch = new StoreWatch({
    check: async () =>
      Object.fromEntries(
        ['postgres', 'redis'].map((name) => [
          name,
          state.away.has(name)
            ? { state: 'down' as const, reason: 'ECONNREFUSED' }
            : { state: 'up' as const, reason: null },
        ]),
      ),
    outbox: {
      add: async (alerts) => {
        if (state.fails) throw new Error('away');
        state.told.push(...alerts);
        return alerts.length;
      },
    },
    clock: { now: () => state.nowMs, monotonic: () => 0 },
    orgIds: ['o'],
  });
  /** Time goes on by so much, then a look. */
  const after = async (seconds: number): Promise<string[]> => {
    const before = state.told.length;
    state.nowMs += seconds * 1000;
    await watch.look();
    return state.told.slice(before).map(({ subject }) => subject);
  };
  return { state, after };
}

describe('watching the stores', () => {
  it('OPS-3: a store that is away for half a minute is told once; a shorter absence is not', async () => {
    const { state, after } = rig();
    state.away.add('redis');
    expect([await after(1), await after(20)]).toEqual([[], []]);
    state.away.clear();
    expect(await after(1)).toEqual([]);
    state.away.add('redis');
    expect([await after(1), await after(30), await after(5)]).toEqual([[], ['Redis does not answer'], []]);
    state.away.clear();
    expect(await after(5)).toEqual([]);
    expect(state.told).toHaveLength(1);
    expect(state.told[0]?.data).toEqual({
      store: 'redis',
      reason: 'ECONNREFUSED',
      since: '2026-11-21T12:00:23.000Z',
      until: null,
    });
  });

  it('OPS-3: PostgreSQL’s own absence is told when it is back, with its length', async () => {
    const { state, after } = rig();
    state.away.add('postgres');
    state.fails = true;
    await after(1);
    await expect(after(40)).rejects.toThrow('away');
    await expect(after(40)).rejects.toThrow('away');
    state.away.clear();
    state.fails = false;
    expect(await after(5)).toEqual(['PostgreSQL did not answer for a while']);
    expect(state.told[0]?.text).toContain('from 2026-11-21T12:00:01.000Z to 2026-11-21T12:01:26.000Z (ECONNREFUSED)');
    expect(await after(5)).toEqual([]);
  });
});
