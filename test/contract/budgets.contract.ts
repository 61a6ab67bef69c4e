import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { adoptSpools } from '../../libs/keys-budgets/budgets/adoption.js';
import { admit, budget, BudgetsRig, event, type Gateway, silent, until } from './budgets-rig.js';

let serial = 0;
const newOrg = (): string => `org_${++serial}`;

describe('admission on real stores', () => {
  let rig: BudgetsRig;
  beforeAll(async () => {
    rig = await BudgetsRig.start();
    await rig.startWorker();
  }, 60_000);
  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
  }, 30_000);
  const adopt = (): Promise<number> =>
    adoptSpools({ root: rig.root, own: 'nobody', ledger: rig.ledger, logger: silent });

  it('KEY-4: I1 many processes never own more than the limit together, and nothing fitting is refused', async () => {
    const org = newOrg();
    const gateways = await Promise.all([1, 2, 3].map(() => rig.gateway()));
    const limit = 10_000_000;
    let spent = 0;
    let peak = 0;
    const look = setInterval(
      () => void rig.totalOf(org, 'b|life').then(({ total }) => (peak = Math.max(peak, total))),
      10,
    );
    await Promise.all(
      gateways.flatMap((gateway) =>
        Array.from({ length: 20 }, async () => {
          const set = gateway.budgets.compile(org, [budget('b', limit)]);
          for (let misses = 0; misses < 3;) {
            const want = 1 + Math.floor(Math.random() * 60_000);
            const admission = await admit(gateway, set, want);
            if (admission === null) {
              misses += 1;
              await new Promise((resolve) => setTimeout(resolve, 120));
              continue;
            }
            spent += want;
            gateway.budgets.settle(admission, want, event());
          }
        }),
      ),
    );
    clearInterval(look);
    expect(spent).toBeLessThanOrEqual(limit);
    expect(peak).toBeLessThanOrEqual(limit);
    expect(spent).toBeGreaterThan(limit * 0.99);
    // exact admission: what is left fits, one nano-dollar more does not
    const [gateway] = gateways as [Gateway];
    const set = gateway.budgets.compile(org, [budget('b', limit)]);
    const left = limit - spent;
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(await admit(gateway, set, left + 1)).toBeNull();
    await new Promise((resolve) => setTimeout(resolve, 120));
    const last = await admit(gateway, set, left);
    expect(last).not.toBeNull();
    gateway.budgets.settle(last!, 0, event());
    for (const { budgets } of gateways) expect(await budgets.close()).toBe(true);
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: spent, sum: spent });
    expect((await rig.spend(org)).get('b|life')).toEqual({ rolledUp: spent, rows: spent });
    expect(await rig.redis.keys(`sf:{${org}}:budgets:*:p:[0-9a-z]*`)).toEqual([]);
  }, 60_000);

  it('KEY-4: a call is charged to all its budgets or to none', async () => {
    const org = newOrg();
    const gateway = await rig.gateway();
    const both = gateway.budgets.compile(org, [budget('small', 100), budget('large', 10_000)]);
    expect(await admit(gateway, both, 101)).toBeNull();
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect((await rig.totalOf(org, 'large|life')).total).toBeLessThanOrEqual(10_000 / 64); // crumbs of a slice, recalled when needed
    const fits = await admit(gateway, both, 100);
    expect(fits?.boundNanos).toBe(100);
    gateway.budgets.cancel(fits!);
    await gateway.budgets.close();
    expect((await rig.spend(org)).size).toBe(0);
  }, 20_000);

  it('KEY-4: clamp gives a quarter of what is left, never less than a useful minimum; strict all or nothing; soft all', async () => {
    const org = newOrg();
    const gateway = await rig.gateway();
    const clamp = gateway.budgets.compile(org, [budget('c', 1000, { mode: 'clamp' })]);
    const first = await admit(gateway, clamp, 5000, 100);
    expect(first?.boundNanos).toBe(250);
    expect(first?.isClampedFrom(5000)).toBe(true);
    const bounds: number[] = [];
    for (
      let next = await admit(gateway, clamp, 5000, 100);
      next !== null;
      next = await admit(gateway, clamp, 5000, 100)
    )
      bounds.push(next.boundNanos);
    expect(bounds.length).toBeGreaterThanOrEqual(4); // one caller does not lock out the others
    expect(bounds.every((bound) => bound >= 100)).toBe(true);
    expect(250 + bounds.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(1000);
    const soft = gateway.budgets.compile(org, [budget('s', 10, { mode: 'soft' })]);
    expect((await admit(gateway, soft, 5000))?.boundNanos).toBe(5000);
    gateway.die();
    await adopt();
  }, 20_000);

  it('KEY-4: a refusal names the budget, and is remembered without asking Redis', async () => {
    const org = newOrg();
    const gateway = await rig.gateway();
    const set = gateway.budgets.compile(org, [
      budget('team_1', 50, { scope: 'team', period: 'daily', timeZone: 'Europe/Berlin' }),
    ]);
    const request = {
      id: 'req_0198c0de-0000-7000-8000-000000000001',
      set,
      minNanos: 60,
      wantNanos: 60,
      draft: event(),
    };
    const refused = await gateway.budgets.admit(request);
    expect(refused).toMatchObject({
      ok: false,
      reason: 'budget',
      budget: { budgetId: 'team_1', scope: 'team', limitNanos: 50, remainingNanos: 50 },
    });
    expect(refused.ok ? 0 : refused.budget?.resetMs).toBeGreaterThan(Date.now());
    const { turns } = gateway.budgets.stats;
    for (let n = 0; n < 50; n++) expect(gateway.budgets.admit(request)).toMatchObject({ ok: false }); // at once, not a promise
    expect(gateway.budgets.stats.turns).toBe(turns);
    await gateway.budgets.close();
  }, 20_000);

  it('KEY-4: a stream that outgrows its bound gets more, in all budgets or in none', async () => {
    const org = newOrg();
    const gateway = await rig.gateway();
    const set = gateway.budgets.compile(org, [budget('a', 1000), budget('b', 500)]);
    const call = (await admit(gateway, set, 300))!;
    expect(await gateway.budgets.extend(call, 200)).toBe(true);
    expect(call.boundNanos).toBe(500);
    expect(await gateway.budgets.extend(call, 1)).toBe(false);
    expect(call.boundNanos).toBe(500);
    gateway.die(); // the larger bound was written: that is what an unfinished call is booked at
    await adopt();
    expect((await rig.rows(org)).map(({ state, cost }) => [state, cost])).toEqual([['unknown', 500]]);
    expect((await rig.totalOf(org, 'a|life')).total).toBe(500);
  }, 20_000);

  it('KEY-4: messages sent twice, late or with lost answers change nothing', async () => {
    const org = newOrg();
    const gateway = await rig.gateway();
    const history: unknown[][] = [];
    const plain = gateway.counters.turn.bind(gateway.counters);
    let n = 0;
    gateway.counters.turn = async (...args) => {
      history.push(args);
      const answer = await plain(...args);
      if (++n % 3 === 0) await plain(...args); // doubled
      if (n % 4 === 0) await plain(...(history[Math.floor(history.length / 2)] as typeof args)); // late
      if (n % 5 === 0) throw new Error('answer lost');
      return answer;
    };
    const set = gateway.budgets.compile(org, [budget('b', 1_000_000, { leased: false })]);
    let spent = 0;
    for (let i = 0; i < 60; i++) {
      const call = await admit(gateway, set, 1000);
      if (call === null) continue;
      gateway.budgets.settle(call, 900, event());
      spent += 900;
    }
    expect(spent).toBeGreaterThan(900 * 50);
    gateway.counters.turn = plain;
    expect(await gateway.budgets.close()).toBe(true);
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: spent, sum: spent });
  }, 30_000);

  it('KEY-4: a cost above its bound is recorded, even over the limit, and stops the next call', async () => {
    const org = newOrg();
    const gateway = await rig.gateway();
    const set = gateway.budgets.compile(org, [budget('b', 1000)]);
    const call = (await admit(gateway, set, 900))!;
    gateway.budgets.settle(call, 1500, event());
    await until(async () => (await rig.totalOf(org, 'b|life')).total === 1500);
    expect(await admit(gateway, set, 1)).toBeNull();
    expect(gateway.budgets.tightest(set)).toMatchObject({ remainingNanos: 0 });
    expect(gateway.budgets.stats.aboveBound).toBe(1);
    await gateway.budgets.close();
    expect((await rig.spend(org)).get('b|life')).toEqual({ rolledUp: 1500, rows: 1500 });
  }, 20_000);

  it('KEY-4: a full spool admits no new calls and still takes the ends of running ones', async () => {
    const org = newOrg();
    const gateway = await rig.gateway({ spoolMaxBytes: 1500 });
    const set = gateway.budgets.compile(org, []);
    const calls = [];
    for (let call = await admit(gateway, set, 1); call !== null; call = await admit(gateway, set, 1)) calls.push(call);
    expect(calls.length).toBeGreaterThan(2);
    for (const call of calls) gateway.budgets.settle(call, 1, event());
    await until(async () => (await rig.rows(org)).length === calls.length);
    await until(async () => (await admit(gateway, set, 1)) !== null); // committed: there is room again
    gateway.die();
    await adopt();
    expect(readdirSync(rig.root)).toEqual([]);
  }, 20_000);
});
