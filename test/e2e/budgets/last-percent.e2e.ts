import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../harness.js';
import { BudgetCluster, NANOS, secretOf, statusOf, sum } from './budget-cluster.js';
import { PRICE } from './paying-upstream.js';

const LIMIT_USD = 10;
const LIMIT_NANOS = LIMIT_USD * NANOS;
const KEY = 'last-percent';
const BUDGET = `key:key_file_${KEY}:lifetime`;
const OUTPUT_NANOS = PRICE.output * 1000;

let cluster: BudgetCluster;
beforeAll(async () => {
  const budgets = [{ limit_usd: LIMIT_USD, period: 'lifetime', mode: 'strict' }];
  cluster = await BudgetCluster.start(3, { keys: [{ name: KEY, key: secretOf(KEY), budgets }] });
}, 120_000);
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
}, 60_000);
beforeEach(() => cluster.upstream.reset());

/** What gateways have set aside, for calls or as slices; `null`: nobody can say. */
async function reservedNanos(): Promise<number | null> {
  const admin = cluster.products[0] as { url: string; adminToken: string };
  const headers = { authorization: `Bearer ${admin.adminToken}` };
  const answer = await fetch(`${admin.url}/api/budgets?owner=${KEY}`, { headers });
  const { items } = (await answer.json()) as { items: { reserved_usd: string | null }[] };
  const reserved = items[0]?.reserved_usd;
  return reserved == null ? null : Math.round(Number(reserved) * NANOS);
}

describe('the last percent of a budget over three gateways', () => {
  it('KEY-4: 1,000 calls at once with random costs and callers that leave: the cap holds, holds heal, nobody is refused falsely', async () => {
    const spendAll = async (nanos: number): Promise<void> => {
      const maxTokens = Math.floor(nanos / OUTPUT_NANOS) - 10;
      expect(await statusOf(cluster.chat(KEY, 'all', { maxTokens }))).toBe(200);
    };
    await spendAll(LIMIT_NANOS * 0.99);
    let billed = cluster.upstream.billedNanos;
    expect(billed).toBeGreaterThan(LIMIT_NANOS * 0.9899);

    const statuses = await Promise.all(
      Array.from({ length: 1000 }, (_, n) => {
        const isLeaving = Math.random() < 0.2;
        const signal = isLeaving ? { signal: AbortSignal.timeout(Math.ceil(Math.random() * 400)) } : {};
        const maxTokens = 20 + Math.ceil(Math.random() * 200);
        return statusOf(cluster.chat(KEY, 'hi wait=20', { maxTokens, ...signal }, n % 3)).catch(() => 0);
      }),
    );
    await eventually('no call at the provider', 10_000, () => (cluster.upstream.running === 0 ? true : null));
    billed = cluster.upstream.billedNanos;
    expect(new Set(statuses)).toEqual(new Set([0, 200, 429]));
    expect(billed).toBeLessThanOrEqual(LIMIT_NANOS);
    expect(cluster.upstream.served).toBeGreaterThan(20);

    // Every hold heals: the ledger has each call the provider served at its true cost, and nothing more is taken.
    const { served } = cluster.upstream;
    const rows = await eventually('all rows at their cost', 15_000, async () => {
      const found = await cluster.rows(KEY);
      return found.filter(({ cost }) => cost > 0).length === served && sum(found) === billed ? found : null;
    });
    expect(rows.every(({ state, cost, bound }) => state === 'settled' && cost <= bound)).toBe(true);
    expect(await cluster.spent(BUDGET)).toBe(billed);
    await eventually('nothing is set aside', 15_000, async () => ((await reservedNanos()) === 0 ? true : null));

    // What is left pays for a call that fits, on each gateway, and for none that does not.
    const oneMore = Math.floor((LIMIT_NANOS - billed) / OUTPUT_NANOS) + 1;
    for (const gateway of [0, 1, 2]) {
      expect(await statusOf(cluster.chat(KEY, 'all', { maxTokens: oneMore }, gateway))).toBe(429);
    }
    let admitted = 0;
    for (const gateway of [2, 0, 1]) {
      const nanos = LIMIT_NANOS - cluster.upstream.billedNanos;
      const maxTokens = Math.floor(nanos / 2 / OUTPUT_NANOS) - 20;
      if (maxTokens < 1) break;
      expect([gateway, await statusOf(cluster.chat(KEY, 'hi', { maxTokens }, gateway))]).toEqual([gateway, 200]);
      admitted += 1;
    }
    expect(admitted).toBeGreaterThan(0);
    expect(cluster.upstream.billedNanos).toBeLessThanOrEqual(LIMIT_NANOS);
  }, 60_000);
});
