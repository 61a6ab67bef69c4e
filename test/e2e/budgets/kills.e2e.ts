import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, recordedChildren } from '../harness.js';
import { BudgetCluster, NANOS, secretOf, statusOf, sum } from './budget-cluster.js';

/** More than a fast machine spends meanwhile: something must be left at the end to see that it is free. */
const LIMIT_USD = 6;
const KEYS = [{ name: 'chaos', team: 'all', budgets: [{ limit_usd: LIMIT_USD, period: 'lifetime', mode: 'strict' }] }];

let cluster: BudgetCluster;
beforeAll(async () => {
  cluster = await BudgetCluster.start(2, {
    keys: KEYS.map((key) => ({ ...key, key: secretOf(key.name) })),
    teams: { all: { budgets: [{ limit_usd: 10, period: 'monthly', mode: 'clamp' }] } },
  });
}, 120_000);
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
}, 60_000);

const send = (n: number, text: string, maxTokens: number): Promise<number> =>
  statusOf(cluster.chat('chaos', text, { maxTokens }, n % 2)).catch(() => 0);

async function kill(gateway: number, child: 'gateway' | 'worker'): Promise<void> {
  const { dataDir } = cluster.products[gateway] as { dataDir: string };
  process.kill((await recordedChildren(dataDir))[child], 'SIGKILL');
}

describe('budgets while processes are killed', () => {
  it('KEY-4 KEY-6: gateways and workers die under load: the cap holds, each call is one row, the money heals', async () => {
    let running = true;
    const callers = Array.from({ length: 24 }, async (_, n) => {
      while (running) {
        const status = await send(n, 'hi wait=40', 50 + Math.ceil(Math.random() * 100));
        if (status !== 200) await sleep(100);
      }
    });
    for (const [gateway, child] of [
      [0, 'gateway'],
      [1, 'worker'],
      [1, 'gateway'],
      [0, 'worker'],
      [0, 'gateway'],
    ] as const) {
      await sleep(1500);
      await kill(gateway, child);
    }
    await sleep(1500);
    running = false;
    await Promise.all(callers);
    await eventually('no call at the provider', 5_000, () => (cluster.upstream.running === 0 ? true : null));
    const { served, billedNanos } = cluster.upstream;
    expect(billedNanos).toBeLessThanOrEqual(LIMIT_USD * NANOS);
    const rows = await eventually('a row for each call, and sums that are theirs', 30_000, async () => {
      const all = await cluster.rows('chaos');
      const isWhole = all.filter(({ cost }) => cost > 0).length >= served && sum(all) >= billedNanos;
      return isWhole && (await cluster.spent('key:key_file_chaos:lifetime')) === sum(all) ? all : null;
    });
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
    expect(sum(rows)).toBeLessThanOrEqual(LIMIT_USD * NANOS);
    expect(sum(rows.filter(({ state }) => state === 'settled'))).toBeLessThanOrEqual(billedNanos);
    expect(await cluster.spent('team:all:monthly')).toBe(sum(rows));
    // what is neither spent nor held is there for the next call, wherever it lay: its bound is what its text and answer may cost
    const left = LIMIT_USD * NANOS - sum(rows);
    const tokens = Math.floor((left - 1_000_000) / 10_000);
    expect(tokens).toBeGreaterThan(0);
    await eventually('a call of nearly all that is left', 10_000, async () =>
      (await send(0, 'hi', tokens)) === 200 ? true : null,
    );
    expect(cluster.upstream.billedNanos).toBeLessThanOrEqual(LIMIT_USD * NANOS);
  }, 120_000);
});
