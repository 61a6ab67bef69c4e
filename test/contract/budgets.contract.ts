import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { budgetKeys } from '#libs/stores/index.js';
import { adoptSpools } from '../../libs/keys-budgets/budgets/adoption.js';
import { admit, budget, BudgetsRig, event, type Gateway, silent, until, USD } from './budgets-rig.js';

let serial = 0;
const newOrg = (): string => `org_${++serial}`;

describe('budgets on real stores', () => {
  let rig: BudgetsRig;
  beforeAll(async () => {
    rig = await BudgetsRig.start();
    await rig.startWorker();
  }, 60_000);
  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
  }, 30_000);
  const adopt = (): Promise<number> => adoptSpools({ root: rig.root, own: 'nobody', ledger: rig.ledger, logger: silent });

  it('KEY-4: I1 many processes never own more than the limit together, and nothing fitting is refused', async () => {
    const org = newOrg();
    const gateways = await Promise.all([1, 2, 3].map(() => rig.gateway()));
    const limit = 10_000_000;
    let spent = 0;
    let peak = 0;
    const look = setInterval(() => void rig.totalOf(org, 'b|life').then(({ total }) => (peak = Math.max(peak, total))), 10);
    await Promise.all(
      gateways.flatMap((gateway) =>
        Array.from({ length: 20 }, async () => {
          const set = gateway.budgets.compile(org, [budget('b', limit)]);
          for (let misses = 0; misses < 3; ) {
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
    for (let next = await admit(gateway, clamp, 5000, 100); next !== null; next = await admit(gateway, clamp, 5000, 100)) bounds.push(next.boundNanos);
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
    const set = gateway.budgets.compile(org, [budget('team_1', 50, { scope: 'team', period: 'daily', timeZone: 'Europe/Berlin' })]);
    const request = { id: 'req_0198c0de-0000-7000-8000-000000000001', set, minNanos: 60, wantNanos: 60, draft: event() };
    const refused = await gateway.budgets.admit(request);
    expect(refused).toMatchObject({ ok: false, reason: 'budget', budget: { budgetId: 'team_1', scope: 'team', limitNanos: 50, remainingNanos: 50 } });
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

  it('KEY-6: a killed process: settled calls at their cost, open ones unknown at their bound, the rest is free again', async () => {
    const org = newOrg();
    const gateway = await rig.gateway();
    const set = gateway.budgets.compile(org, [budget('b', USD)]);
    const done = (await admit(gateway, set, 1000))!;
    await admit(gateway, set, 2000);
    gateway.budgets.settle(done, 700, event());
    await new Promise((resolve) => setTimeout(resolve, 100));
    gateway.die();
    expect((await rig.totalOf(org, 'b|life')).total).toBeGreaterThan(2700); // its slice is still booked: no clock frees it
    expect(await adopt()).toBe(1);
    expect((await rig.rows(org)).map(({ state, cost }) => [state, cost]).sort()).toEqual([['settled', 700], ['unknown', 2000]]);
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 2700, sum: 2700 });
    expect(await adopt()).toBe(0);
  }, 20_000);

  it('KEY-6: unknown becomes settled once, however often the true end comes', async () => {
    const org = newOrg();
    const gateway = await rig.gateway();
    const set = gateway.budgets.compile(org, [budget('b', USD)]);
    const call = (await admit(gateway, set, 5000))!;
    gateway.budgets.settle(call, null, event());
    gateway.budgets.settle(call, 1, event()); // ended already: changes nothing
    expect(await gateway.budgets.close()).toBe(true);
    expect((await rig.rows(org)).map(({ state, cost }) => [state, cost])).toEqual([['unknown', 5000]]);
    const truth = { i: call.id, o: org, p: gateway.budgets.processId, s: 'settled', e: 5000, c: 4000, b: ['b|life'], u: {} };
    for (let n = 0; n < 3; n++) await rig.ledger.close(org, gateway.budgets.processId, [JSON.stringify(truth), JSON.stringify({ ...truth, c: 4000 })], 0);
    expect((await rig.rows(org)).map(({ state, cost }) => [state, cost])).toEqual([['settled', 4000]]);
    expect((await rig.spend(org)).get('b|life')).toEqual({ rolledUp: 4000, rows: 4000 });
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 4000, sum: 4000 });
  }, 20_000);

  it('KEY-6: a lost disk keeps its money booked; the disk that returns replaces it; an admin may forget it', async () => {
    const org = newOrg();
    const kept: string[] = [];
    for (const fate of ['returns', 'forgotten'] as const) {
      const gateway = await rig.gateway({ times: { ttlMs: 1000 } });
      const field = `${fate}|life`;
      const set = gateway.budgets.compile(org, [budget(fate, USD)]);
      const done = (await admit(gateway, set, 1000))!;
      gateway.budgets.settle(done, 600, event());
      await until(async () => (await rig.spend(org)).get(field)?.rows === 600);
      await admit(gateway, set, 3000);
      await until(async () => (await rig.totalOf(org, field)).total > 3600);
      gateway.die();
      const { processId } = gateway.budgets;
      renameSync(path.join(rig.root, processId), path.join(rig.root, `../gone-${processId}`));
      await expect(rig.ledger.forget(processId, { ttlMs: 1000 })).rejects.toThrow(/alive/);
      await new Promise((resolve) => setTimeout(resolve, 1300));
      const before = (await rig.totalOf(org, field)).total;
      expect(await rig.ledger.closeLost(org, { ttlMs: 1000, lostAfterMs: 0, committedToMs: Infinity })).toEqual([processId]);
      expect(await rig.totalOf(org, field)).toEqual({ total: before, sum: before });
      expect((await rig.spend(org)).get(field)).toEqual({ rolledUp: before, rows: before });
      kept.push(processId);
      if (fate === 'returns') {
        renameSync(path.join(rig.root, `../gone-${processId}`), path.join(rig.root, processId));
        expect(await adopt()).toBe(1);
        expect(await rig.totalOf(org, field)).toEqual({ total: 3600, sum: 3600 });
        expect((await rig.spend(org)).get(field)).toEqual({ rolledUp: 3600, rows: 3600 });
      } else {
        const released = await rig.ledger.forget(processId, { ttlMs: 1000 });
        expect(released.get(org)?.get(field)).toBe(before - 600);
        expect(await rig.totalOf(org, field)).toEqual({ total: 600, sum: 600 });
        await rig.ledger.forget(processId, { ttlMs: 1000 }); // twice changes nothing
        expect(await rig.totalOf(org, field)).toEqual({ total: 600, sum: 600 });
      }
    }
    await expect(rig.ledger.forget('nobody', { ttlMs: 1000 })).rejects.toThrow(/no process nobody/);
  }, 30_000);

  it('KEY-6: Redis emptied: nothing is granted until the counters are rebuilt, by themselves, from ledger and living', async () => {
    const org = newOrg();
    const [dead, alive] = [await rig.gateway(), await rig.gateway()];
    const definitions = [budget('b', 10_000, { leased: false })];
    const call = (await admit(dead, dead.budgets.compile(org, definitions), 3000))!;
    dead.budgets.settle(call, 2500, event());
    expect(await dead.budgets.close()).toBe(true);
    const set = alive.budgets.compile(org, definitions);
    const held = (await admit(alive, set, 4000))!;
    await rig.redis.flushall();
    expect(await admit(alive, set, 3501)).toBeNull(); // 2,500 spent, 4,000 held
    await new Promise((resolve) => setTimeout(resolve, 150));
    const last = (await admit(alive, set, 3500))!;
    expect(last).not.toBeNull();
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 10_000, sum: 10_000 });
    alive.budgets.settle(held, 1, event());
    alive.budgets.settle(last, 1, event());
    expect(await alive.budgets.close()).toBe(true); // rows that were in the stream are sent again
    expect((await rig.spend(org)).get('b|life')).toEqual({ rolledUp: 2502, rows: 2502 });
  }, 30_000);

  it('KEY-6: `budgets rebuild` begins a new generation with the same sums', async () => {
    const org = newOrg();
    const gateway = await rig.gateway();
    const set = gateway.budgets.compile(org, [budget('b', USD)]);
    const call = (await admit(gateway, set, 3000))!;
    const before = Number(await rig.redis.hget(budgetKeys(org).head, 'gen'));
    const { generation } = await rig.ledger.rebuild(org);
    expect(Number(generation)).toBe(before + 1);
    await until(() => gateway.budgets.isReady(org) && gateway.budgets.stats.rejoins > 0);
    gateway.budgets.settle(call, 3000, event());
    const next = (await admit(gateway, set, 10))!;
    gateway.budgets.settle(next, 10, event());
    expect(await gateway.budgets.close()).toBe(true);
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 3010, sum: 3010 });
  }, 30_000);

  it('KEY-6: I5 a holder of the lock that was overtaken can no longer write', async () => {
    const org = newOrg();
    const gateway = await rig.gateway();
    gateway.budgets.compile(org, [budget('b', USD)]);
    await until(() => gateway.budgets.isReady(org));
    const { underLock } = await import('../../libs/ledger/budgets/generation.postgres.js');
    let late: Promise<unknown> = Promise.resolve();
    await underLock(rig.source, rig.redis, org, async (old) => {
      await rig.redis.hset(budgetKeys(org).head, 'fence', Number(old.fence) + 1); // what the next holder does first
      late = old.admin('fold', 'x', ['b|life', 5]).catch((error: Error) => error.message);
      await late;
    });
    expect(await late).toMatch(/FENCED/);
    await gateway.budgets.close();
  }, 20_000);

  it('KEY-6: a closer that died between PostgreSQL and Redis is finished by the next: nothing counts twice', async () => {
    const org = newOrg();
    const gateway = await rig.gateway();
    const set = gateway.budgets.compile(org, [budget('b', USD)]);
    const call = (await admit(gateway, set, 3000))!;
    gateway.budgets.settle(call, 3000, event());
    await until(async () => (await rig.spend(org)).get('b|life')?.rows === 3000);
    gateway.die();
    await rig.source.query(`UPDATE budget_processes SET state = 'closed' WHERE process_id = $1`, [gateway.budgets.processId]);
    await rig.ledger.refold(org);
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 3000, sum: 3000 });
    await adopt();
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 3000, sum: 3000 });
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

  it('KEY-6: several organisations share a process and its spool, and are closed one by one', async () => {
    const [one, two] = [newOrg(), newOrg()];
    const gateway = await rig.gateway();
    for (const org of [one, two]) {
      const set = gateway.budgets.compile(org, [budget('b', USD)]);
      const call = (await admit(gateway, set, 1000))!;
      gateway.budgets.settle(call, org === one ? 100 : 200, event());
      await admit(gateway, set, 3000);
    }
    const free = gateway.budgets.compile(one, []); // no budgets: a row all the same
    const call = (await admit(gateway, free, 77))!;
    gateway.budgets.settle(call, 77, event());
    await new Promise((resolve) => setTimeout(resolve, 50));
    gateway.die();
    expect(await adopt()).toBe(1);
    expect(await rig.totalOf(one, 'b|life')).toEqual({ total: 3100, sum: 3100 });
    expect(await rig.totalOf(two, 'b|life')).toEqual({ total: 3200, sum: 3200 });
    expect((await rig.rows(one)).map(({ cost }) => cost).sort((a, b) => a - b)).toEqual([77, 100, 3000]);
  }, 20_000);

  it('KEY-6: a process that the ledger has closed ends, and admits nothing', async () => {
    const org = newOrg();
    let closed = 0;
    const gateway = await rig.gateway({ times: { ttlMs: 1000 }, onClosed: () => (closed += 1) });
    const set = gateway.budgets.compile(org, [budget('b', USD)]);
    const call = (await admit(gateway, set, 1000))!;
    await rig.ledger.close(org, gateway.budgets.processId, [], Infinity);
    await until(() => closed === 1);
    expect(await admit(gateway, set, 10)).toBeNull();
    gateway.budgets.settle(call, 5, event());
    await new Promise((resolve) => setTimeout(resolve, 100));
    gateway.die();
    await adopt();
    expect((await rig.spend(org)).get('b|life')).toEqual({ rolledUp: 5, rows: 5 }); // the slice gave way to the truth
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 5, sum: 5 });
  }, 20_000);

  it('KEY-6: the sweep removes old generations, ended periods and closed processes, and no sum changes', async () => {
    const org = newOrg();
    const gateway = await rig.gateway();
    const set = gateway.budgets.compile(org, [budget('b', USD)]);
    const call = (await admit(gateway, set, 1000))!;
    gateway.budgets.settle(call, 1000, event());
    expect(await gateway.budgets.close()).toBe(true);
    const old = JSON.stringify({ i: 'req_0198c0de-0000-7000-8000-00000000000a', o: org, p: gateway.budgets.processId, s: 'settled', e: 9, c: 9, b: ['b|d2020-01-01'], u: {} });
    await rig.ledger.close(org, gateway.budgets.processId, [old], 0);
    expect((await rig.totalOf(org, 'b|d2020-01-01')).total).toBe(9);
    const before = await rig.spend(org);
    const keys = budgetKeys(org);
    const gen = (await rig.redis.hget(keys.head, 'gen')) as string;
    await rig.ledger.rebuild(org);
    await rig.source.query(`UPDATE budget_processes SET closed_at = now() - interval '8 days' WHERE org_id = $1`, [org]);
    await rig.ledger.sweep(org);
    await rig.ledger.sweep(org);
    expect(await rig.redis.exists(keys.totals(gen), keys.closed(gen), keys.joined(gen))).toBe(0);
    expect((await rig.totalOf(org, 'b|d2020-01-01')).total).toBe(0);
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 1000, sum: 1000 });
    expect(await rig.spend(org)).toEqual(before);
    await rig.ledger.rebuild(org);
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 1000, sum: 1000 });
    const left = (await rig.source.query(`SELECT (SELECT count(*) FROM budget_processes WHERE org_id = $1)::int AS processes,
      (SELECT string_agg(DISTINCT process_id, ',') FROM budget_spend WHERE org_id = $1) AS sums`, [org])) as unknown[];
    expect(left).toEqual([{ processes: 0, sums: '~closed' }]);
    // a true end that comes this late still finds its row and its sum
    await rig.ledger.close(org, gateway.budgets.processId, [old], 0);
    expect(await rig.spend(org)).toEqual(before);
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
