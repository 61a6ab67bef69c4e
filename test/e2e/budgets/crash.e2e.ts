import path from 'node:path';
import { existsSync, readdirSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
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

  it('KEY-6: `smartflow reconcile` settles what a kill left unknown, and the budgets get the difference back at once', async () => {
    const rows = await cluster.rows('killed');
    const [first1, second] = rows
      .filter(({ state }) => state === 'unknown')
      .map((row) => ({ ...row, id: `req_${row.id}` }));
    if (first1 === undefined || second === undefined) throw new Error('nothing is unknown');
    const remaining = async (): Promise<number> => {
      const answer = await cluster.chat('killed', 'hi', { maxTokens: 1 });
      await answer.arrayBuffer();
      return Math.round(Number(answer.headers.get('x-smartflow-budget-remaining')) * NANOS);
    };
    const reconcile = (...args: string[]) => runCli(['reconcile', ...args], { env: cluster.env });
    const before = await remaining();
    const dry = await reconcile(first1.id, '--cost-usd', '0.000001');
    expect([dry.code, dry.stderr]).toEqual([0, '']);
    expect(dry.stdout).toMatch(
      /→ 0\.000001 USD\n1 of 1 would be settled; nothing was written, add --apply \(-0\.\d+ USD\)\n$/,
    );
    expect(await cluster.rows('killed').then((all) => all.filter(({ state }) => state === 'unknown'))).toHaveLength(2);
    const file = path.join(cluster.folder, 'costs.csv');
    await writeFile(file, `id,cost_usd\n${first1.id},0.000001\n${second.id},0\n`);
    const done = await reconcile('--from', file, '--apply');
    expect([done.code, done.stderr]).toEqual([0, '']);
    expect(done.stdout).toContain('2 of 2 settled');
    expect((await reconcile('--from', file, '--apply')).stdout).toContain('0 of 2 settled');
    const after = (await cluster.rows('killed')).filter(({ id }) => [first1.id, second.id].includes(`req_${id}`));
    expect(after.map(({ state, cost }) => [state, cost]).sort()).toEqual([['settled', 0], ['settled', 1000]]); // prettier-ignore
    const backNanos = first1.cost + second.cost - 1000;
    const spent = await cluster.spent('key:key_file_killed:lifetime');
    expect(spent).toBeLessThan(sum(rows) - backNanos + NANOS / 1000);
    // less what the two little calls cost
    const now = await eventually('the gateway knows', 10_000, async () => {
      const left = await remaining();
      return left > before ? left : null;
    });
    expect(now).toBeGreaterThan(before + backNanos / 2);
    expect(now).toBeLessThanOrEqual(before + backNanos);
    const [none, bad, unused] = await Promise.all([
      reconcile('req_0198c0de-0000-7000-8000-000000000001', '--cost-usd', '1'),
      reconcile(first1.id, '--cost-usd=-1'),
      reconcile(first1.id),
    ]);
    expect([none.code, none.stdout]).toEqual([1, expect.stringContaining('not in the ledger')]);
    expect([bad.code, bad.stderr]).toEqual([1, expect.stringContaining('"-1"')]);
    expect(unused.code).toBe(2);
  }, 90_000);

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
    const forget = async (): Promise<string | null> => {
      const done = await runCli(['spool', 'forget', processId], { env: cluster.env });
      return done.code === 0 ? done.stdout : null;
    };
    const released = await eventually('its lease is over', 20_000, forget, 1_500);
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
