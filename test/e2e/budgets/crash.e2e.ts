import path from 'node:path';
import { existsSync, readdirSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually, recordedChildren, runCli, type Product } from '../harness.js';
import { BudgetCluster, NANOS, secretOf, statusOf, sum } from './budget-cluster.js';

const strict = (limit_usd: number) => ({ limit_usd, period: 'lifetime', mode: 'strict' });
const KEYS = [
  { name: 'killed', budgets: [strict(1)] },
  { name: 'plain' },
  { name: 'emptied', budgets: [strict(0.02)] },
  { name: 'rebuilt', budgets: [strict(0.02)] },
  { name: 'drained', budgets: [strict(1)] },
  { name: 'gone', budgets: [strict(1)] },
];

let cluster: BudgetCluster;
const first = (): Product => cluster.products[0] as Product;
beforeAll(async () => {
  cluster = await BudgetCluster.start(1, {
    keys: KEYS.map((key) => ({ ...key, key: secretOf(key.name) })),
    org: { budgets: [{ limit_usd: 50, period: 'monthly', mode: 'clamp' }] },
  });
}, 120_000);
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
}, 60_000);
beforeEach(() => cluster.upstream.reset());

const isBack = (): Promise<true> =>
  eventually('the gateway serves again', 20_000, async () =>
    (await fetch(`${first().url}/health/ready`)).status === 200 ? true : null,
  );
async function killGateway(): Promise<void> {
  process.kill((await recordedChildren(first().dataDir)).gateway, 'SIGKILL');
}

/** Spends a budget of $0.02 until the next call does not fit. */
async function exhaust(key: string): Promise<number> {
  let calls = 0;
  while ((await statusOf(cluster.chat(key, 'all', { maxTokens: 300 }))) === 200) calls += 1;
  return calls;
}

describe('the ledger under crashes', () => {
  it('KEY-6: kill -9 in the middle of calls: each becomes exactly one row, at its bound', async () => {
    const lost = ['killed', 'killed', 'plain'].map((key) => statusOf(cluster.chat(key, 'hang')).catch(() => 0));
    await eventually('all at the provider', 5_000, () => (cluster.upstream.running === 3 ? true : null));
    expect(await statusOf(cluster.chat('killed', 'hi'))).toBe(200);
    const settled = cluster.upstream.billedNanos;
    await cluster.rowsOnce('killed', 1);
    await killGateway();
    await Promise.all(lost);
    await isBack();
    const rows = await cluster.rowsOnce('killed', 3, 20_000);
    const plain = await cluster.rowsOnce('plain', 1);
    expect(rows.map(({ state }) => state).sort()).toEqual(['settled', 'unknown', 'unknown']);
    expect(sum(rows.filter(({ state }) => state === 'settled'))).toBe(settled);
    expect(rows.every(({ state, cost, bound }) => state === 'settled' || cost === bound)).toBe(true);
    // the organisation's budget alone applies to a key without one
    expect(plain).toMatchObject([{ state: 'unknown', budgets: [expect.stringMatching(/^org:org_default:monthly\|/)] }]);
    expect(await cluster.spent('key:key_file_killed:lifetime')).toBe(sum(rows));
    expect(await cluster.spent('org:org_default:monthly')).toBe(sum(rows) + sum(plain));
    const answer = await cluster.chat('killed', 'hi');
    expect(Number(answer.headers.get('x-smartflow-budget-remaining')) * NANOS).toBeLessThan(NANOS - sum(rows));
    expect(await statusOf(Promise.resolve(answer))).toBe(200);
    expect(await cluster.rowsOnce('killed', 4)).toHaveLength(4);
  }, 60_000);

  it('KEY-6: a Redis that was emptied: the counters are made anew by themselves and no spending is forgotten', async () => {
    expect(await exhaust('emptied')).toBeGreaterThan(3);
    const billed = cluster.upstream.billedNanos;
    await cluster.redis.flushall();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => statusOf(cluster.chat('emptied', 'all', { maxTokens: 300 }))),
    );
    expect(new Set(answers)).toEqual(new Set([429]));
    expect(await statusOf(cluster.chat('killed', 'hi', { maxTokens: 10 }))).toBe(200);
    expect(await exhaust('emptied')).toBe(0);
    const rows = await cluster.rows('emptied');
    expect(sum(rows)).toBe(billed);
    expect(billed).toBeLessThanOrEqual(0.02 * NANOS);
  }, 30_000);

  it('KEY-6: Redis emptied and the gateway killed at once: its spool and the ledger know what was spent', async () => {
    const calls = await exhaust('rebuilt');
    await killGateway();
    await cluster.redis.flushall();
    await isBack();
    const status = await eventually('an answer about the budget', 15_000, async () => {
      const answer = await statusOf(cluster.chat('rebuilt', 'all', { maxTokens: 300 }));
      return answer === 503 ? null : answer;
    });
    expect(status).toBe(429);
    expect(await cluster.rowsOnce('rebuilt', calls)).toHaveLength(calls);
  }, 60_000);

  it('KEY-6: `smartflow budgets rebuild` makes the counters anew while the gateway goes on', async () => {
    const before = await cluster.redis.hget('sf:{org_default}:budgets', 'gen');
    const { code, stdout, stderr } = await runCli(['budgets', 'rebuild'], { env: cluster.env });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^org_default: counters of generation \d+\n$/);
    expect(await cluster.redis.hget('sf:{org_default}:budgets', 'gen')).not.toBe(before);
    expect(await statusOf(cluster.chat('killed', 'hi', { maxTokens: 10 }))).toBe(200);
    expect(await exhaust('emptied')).toBe(0);
    expect((await runCli(['budgets'], { env: cluster.env })).code).toBe(2);
    const unknown = await runCli(['budgets', 'rebuild', '--org', 'org_x'], { env: cluster.env });
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('org_x')]);
  }, 60_000);

  it('KEY-6: `smartflow spool forget` refuses a living gateway and one that nobody knows', async () => {
    const spool = path.join(first().dataDir, 'spool');
    const [alive] = readdirSync(spool);
    const refused = await runCli(['spool', 'forget', alive as string], { env: cluster.env });
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('is alive')]);
    const nobody = await runCli(['spool', 'forget', 'nobody'], { env: cluster.env });
    expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringContaining('no process nobody')]);
    expect((await runCli(['spool', 'forget'], { env: cluster.env })).code).toBe(2);
  }, 60_000);

  it('KEY-4: a gateway that is gone with its disk keeps its money booked until it is forgotten', async () => {
    const lost = statusOf(cluster.chat('gone', 'hang', { maxTokens: 1000 })).catch(() => 0);
    await eventually('it is at the provider', 5_000, () => (cluster.upstream.running === 1 ? true : null));
    const spool = path.join(first().dataDir, 'spool');
    const [processId] = readdirSync(spool) as [string];
    // the disk goes first: the next start must not find it
    await rename(path.join(spool, processId), path.join(first().dataDir, `lost-${processId}`));
    await killGateway();
    await lost;
    await isBack();
    // it still counts: ten cents are held of the budget, or nobody knows yet
    const released = await eventually('its lease is over', 20_000, async () => {
      const done = await runCli(['spool', 'forget', processId], { env: cluster.env });
      return done.code === 0 ? done.stdout : null;
    });
    expect(released).toMatch(/^org_default key:key_file_gone:lifetime\|life: 0\.\d+ USD free again$/m);
    const answer = await cluster.chat('gone', 'hi', { maxTokens: 90_000 });
    expect(await statusOf(Promise.resolve(answer))).toBe(200);
  }, 60_000);

  it('OPS-3: an orderly stop leaves every row in the ledger and no spool behind', async () => {
    await Promise.all(Array.from({ length: 20 }, () => statusOf(cluster.chat('drained', 'hi'))));
    expect(await first().stop()).toBe(0);
    expect(await cluster.rows('drained')).toHaveLength(20);
    expect(
      existsSync(path.join(first().dataDir, 'spool')) ? readdirSync(path.join(first().dataDir, 'spool')) : [],
    ).toEqual([]);
    cluster.products = [];
  }, 60_000);
});
