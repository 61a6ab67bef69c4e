import path from 'node:path';
import { readdirSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, type Product } from '../harness.js';
import { BudgetCluster, NANOS, secretOf, statusOf } from './budget-cluster.js';

const KEYS = [
  { name: 'hard', budgets: [{ limit_usd: 1, period: 'daily', mode: 'strict' }] },
  { name: 'soft', budgets: [{ limit_usd: 1, period: 'daily', mode: 'soft' }] },
  { name: 'free' },
];
/** A lease: how long a gateway may spend what it holds without hearing from Redis. */
const LEASE_MS = 10_000;

let cluster: BudgetCluster;
const first = (): Product => cluster.products[0] as Product;
beforeAll(async () => {
  cluster = await BudgetCluster.start(1, { keys: KEYS.map((key) => ({ ...key, key: secretOf(key.name) })) });
}, 120_000);
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
}, 60_000);

describe('budgets while Redis is away', () => {
  it('OPS-3: hard ones live on what the gateway holds, then close; others go on; no row is lost from the spool', async () => {
    for (const key of ['hard', 'soft', 'free']) expect(await statusOf(cluster.chat(key, 'hi'))).toBe(200);
    await cluster.rowsOnce('hard', 1);
    await cluster.redisServer.kill();
    const killedMs = performance.now();
    let spent = 0;
    await eventually('hard budgets close', 3 * LEASE_MS, async () => {
      const answer = await cluster.chat('hard', 'hi');
      await answer.arrayBuffer();
      if (answer.status === 200) spent += 1;
      return answer.headers.get('x-smartflow-error') === 'store_unavailable' ? true : null;
    });
    expect(performance.now() - killedMs).toBeLessThan(2 * LEASE_MS);
    expect(spent * 1_600_000).toBeLessThan(NANOS / 16 + 1_600_000);
    const refused = await cluster.chat('hard', 'hi');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await statusOf(cluster.chat('soft', 'hi'))).toBe(200);
    for (let n = 0; n < 5; n++) expect(await statusOf(cluster.chat('free', 'hi'))).toBe(200);
    await eventually('the readiness tells', 2 * LEASE_MS, async () => {
      const ready = (await (await fetch(`${first().url}/health/ready`)).json()) as { status: string; budgets: string };
      return ready.status === 'degraded' && ready.budgets === 'waiting' ? true : null;
    });
    // the rows wait on the disk, for the next life of Redis
    const { dataDir } = first();
    expect(await first().stop()).toBe(0);
    cluster.products = [];
    const spool = path.join(dataDir, 'spool');
    const [left] = readdirSync(spool) as [string];
    const bytes = readdirSync(path.join(spool, left))
      .filter((name) => name.endsWith('.log'))
      .reduce((all, name) => all + statSync(path.join(spool, left, name)).size, 0);
    expect(bytes).toBeGreaterThan(1000);
  }, 60_000);
});
