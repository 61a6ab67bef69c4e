import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Admission } from '#libs/keys-budgets/index.js';
import { newId } from '#libs/platform/ids.js';
import { budgetKeys } from '#libs/stores/index.js';
import { adoptSpools } from '../../libs/keys-budgets/budgets/adoption.js';
import { admit, budget, BudgetsRig, event, silent, until, USD } from './budgets-rig.js';

let serial = 0;
const newOrg = (): string => `org_${++serial}`;

describe('ledger of the budgets on real stores', () => {
  let rig: BudgetsRig;
  beforeAll(async () => {
    rig = await BudgetsRig.start();
    await rig.startWorker();
  }, 60_000);
  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
  }, 30_000);
  const rollupsOf = async (org: string): Promise<unknown> =>
    (
      (await rig.source.query(
        `SELECT sum(cost_nanos)::text AS cost, sum(unknown_calls)::int AS unknown FROM usage_rollups WHERE org_id = $1`,
        [org],
      )) as unknown[]
    )[0];
  const adopt = (): Promise<number> =>
    adoptSpools({ root: rig.root, own: 'nobody', ledger: rig.ledger, ttlMs: 1000, logger: silent });

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
    const rows = await rig.rows(org);
    expect(rows.map(({ state, cost }) => `${state} ${cost}`).toSorted((a, b) => a.localeCompare(b))).toEqual([
      'settled 700',
      'unknown 2000',
    ]);
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
    const truth = {
      i: call.id,
      o: org,
      p: gateway.budgets.processId,
      s: 'settled',
      e: 5000,
      c: 4000,
      b: ['b|life'],
      u: {},
    };
    for (let n = 0; n < 3; n++)
      await rig.ledger.close(
        org,
        gateway.budgets.processId,
        [JSON.stringify(truth), JSON.stringify({ ...truth, c: 4000 })],
        0,
      );
    expect((await rig.rows(org)).map(({ state, cost }) => [state, cost])).toEqual([['settled', 4000]]);
    expect((await rig.spend(org)).get('b|life')).toEqual({ rolledUp: 4000, rows: 4000 });
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 4000, sum: 4000 });
  }, 20_000);

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
    await rig.source.query(`UPDATE budget_processes SET state = 'closed' WHERE process_id = $1`, [
      gateway.budgets.processId,
    ]);
    await rig.ledger.refold(org);
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 3000, sum: 3000 });
    await adopt();
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 3000, sum: 3000 });
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
    const old = JSON.stringify({
      i: 'req_0198c0de-0000-7000-8000-00000000000a',
      o: org,
      p: gateway.budgets.processId,
      s: 'settled',
      e: 9,
      c: 9,
      b: ['b|d2020-01-01'],
      u: {},
    });
    await rig.ledger.close(org, gateway.budgets.processId, [old], 0);
    expect((await rig.totalOf(org, 'b|d2020-01-01')).total).toBe(9);
    const before = await rig.spend(org);
    const keys = budgetKeys(org);
    const gen = (await rig.redis.hget(keys.head, 'gen')) as string;
    await rig.ledger.rebuild(org);
    await rig.source.query(`UPDATE budget_processes SET closed_at = now() - interval '8 days' WHERE org_id = $1`, [
      org,
    ]);
    await rig.ledger.sweep(org);
    await rig.ledger.sweep(org);
    expect(await rig.redis.exists(keys.totals(gen), keys.closed(gen), keys.joined(gen))).toBe(0);
    expect((await rig.totalOf(org, 'b|d2020-01-01')).total).toBe(0);
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 1000, sum: 1000 });
    expect(await rig.spend(org)).toEqual(before);
    await rig.ledger.rebuild(org);
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 1000, sum: 1000 });
    const left = (await rig.source.query(
      `SELECT (SELECT count(*) FROM budget_processes WHERE org_id = $1)::int AS processes,
      (SELECT string_agg(DISTINCT process_id, ',') FROM budget_spend WHERE org_id = $1) AS sums`,
      [org],
    )) as unknown[];
    expect(left).toEqual([{ processes: 0, sums: '~closed' }]);
    // a true end that comes this late still finds its row and its sum
    await rig.ledger.close(org, gateway.budgets.processId, [old], 0);
    expect(await rig.spend(org)).toEqual(before);
  }, 20_000);

  it('KEY-6: the spool of another machine is left alone until its lease is over', async () => {
    const org = newOrg();
    const gateway = await rig.gateway({ times: { ttlMs: 1000 } });
    const set = gateway.budgets.compile(org, [budget('b', USD)]);
    await admit(gateway, set, 1000);
    gateway.die(); // its socket refuses, as one of another machine would
    writeFileSync(path.join(rig.root, gateway.budgets.processId, 'kernel'), 'another one');
    expect(await adopt()).toBe(0);
    await until(async () => (await adopt()) === 1, 4000);
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 1000, sum: 1000 });
  }, 20_000);

  it('KEY-6: a Redis that is older than it knows tells of no lease: the spool of another machine is left alone', async () => {
    const org = newOrg();
    const gateway = await rig.gateway({ times: { ttlMs: 1000 } });
    await admit(gateway, gateway.budgets.compile(org, [budget('b', USD)]), 1000);
    gateway.die();
    writeFileSync(path.join(rig.root, gateway.budgets.processId, 'kernel'), 'another one');
    const keys = budgetKeys(org);
    const gen = (await rig.redis.hget(keys.head, 'gen')) as string;
    await rig.redis.hset(keys.ceilings(gen, gateway.budgets.processId), '@', 1); // as a snapshot of long ago has it
    await rig.redis.hset(keys.head, 'run', 'another life of the server');
    expect(await adopt()).toBe(0);
    await until(async () => (await adopt()) === 1, 4000);
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 1000, sum: 1000 });
  }, 20_000);

  it('KEY-6: an unknown row is reconciled once, also after its process is long gone', async () => {
    const org = newOrg();
    const gateway = await rig.gateway();
    const set = gateway.budgets.compile(org, [budget('b', USD)]);
    const call = (await admit(gateway, set, 1000))!;
    gateway.die();
    await adopt();
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 1000, sum: 1000 });
    const truth = { id: call.id, costNanos: 250 };
    expect(await rig.ledger.reconcile([truth], { apply: false })).toEqual([
      { ...truth, orgId: org, state: 'unknown', bookedNanos: 1000, budgets: ['b|life'] },
    ]);
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 1000, sum: 1000 });
    await rig.ledger.reconcile([truth], { apply: true });
    await rig.ledger.reconcile([{ ...truth, costNanos: 1 }], { apply: true });
    expect(await rig.ledger.reconcile([{ id: newId('req'), costNanos: 1 }], { apply: true })).toEqual([]);
    expect((await rig.rows(org)).map(({ state, cost }) => [state, cost])).toEqual([['settled', 250]]);
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 250, sum: 250 });
    expect((await rig.spend(org)).get('b|life')).toEqual({ rolledUp: 250, rows: 250 });
    expect(await rollupsOf(org)).toEqual({ cost: '250', unknown: 0 });
  }, 20_000);

  it('KEY-4: what reconciling gives back can be spent at once, although the process that booked it lives on', async () => {
    const org = newOrg();
    const gateway = await rig.gateway();
    const set = gateway.budgets.compile(org, [budget('b', 1000)]);
    const call = (await admit(gateway, set, 1000))!;
    gateway.budgets.settle(call, null, event());
    await until(async () => (await rig.rows(org)).length === 1);
    expect(await admit(gateway, set, 600)).toBeNull();
    await rig.ledger.reconcile([{ id: call.id, costNanos: 300 }], { apply: true });
    expect((await rig.spend(org)).get('b|life')).toEqual({ rolledUp: 300, rows: 300 });
    await until(async () => (await rig.totalOf(org, 'b|life')).total === 300);
    expect(await admit(gateway, set, 701)).toBeNull(); // one nano-dollar more than is left
    let next: Admission | null = null;
    await until(async () => (next = await admit(gateway, set, 700)) !== null);
    gateway.budgets.settle(next!, 700, event());
    expect(await gateway.budgets.close()).toBe(true);
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 1000, sum: 1000 });
    expect((await rig.spend(org)).get('b|life')).toEqual({ rolledUp: 1000, rows: 1000 });
    await rig.ledger.rebuild(org);
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 1000, sum: 1000 });
  }, 20_000);

  it('KEY-6: a row of a spool that cannot be described is booked all the same, and holds up nothing', async () => {
    const org = newOrg();
    const gateway = await rig.gateway();
    const set = gateway.budgets.compile(org, [budget('b', USD)]);
    const draft = (keyName: string): string => JSON.stringify({ keyId: 'key_1', keyName, model: 'm' });
    for (const keyName of ['one', 'lone \ud800 surrogate', 'three']) {
      const call = await gateway.budgets.admit({
        id: newId('req'),
        set,
        minNanos: 5,
        wantNanos: 5,
        draft: draft(keyName),
      });
      if (!call.ok || !(await call.written)) throw new Error('refused');
    }
    gateway.die();
    expect(await adopt()).toBe(1);
    expect((await rig.rows(org)).map(({ state, cost }) => [state, cost])).toEqual(Array(3).fill(['unknown', 5]));
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 15, sum: 15 });
    expect(readdirSync(rig.root)).toEqual([]);
  }, 20_000);
});
