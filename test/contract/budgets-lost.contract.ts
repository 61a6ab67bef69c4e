import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { renameSync } from 'node:fs';
import path from 'node:path';
import { budgetKeys } from '#libs/stores/index.js';
import { adoptSpools } from '../../libs/keys-budgets/budgets/adoption.js';
import { admit, budget, BudgetsRig, event, type Gateway, silent, until, USD } from './budgets-rig.js';

let serial = 0;
const newOrg = (): string => `org_lost_${++serial}`;

describe('processes that are lost with their disk, on real stores', () => {
  let rig: BudgetsRig;
  beforeAll(async () => {
    rig = await BudgetsRig.start();
    await rig.startWorker();
  }, 60_000);
  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
  }, 30_000);
  const lose = ({ budgets, die }: Gateway): void => {
    die();
    renameSync(path.join(rig.root, budgets.processId), path.join(rig.root, `../gone-${budgets.processId}`));
  };
  const closeLost = (org: string) =>
    rig.ledger.closeLost(org, { ttlMs: 1000, lostAfterMs: 0, committedToMs: Infinity });
  const mirrorOf = async (org: string): Promise<Record<string, number>> =>
    Object.fromEntries(
      ((await rig.source.query(`SELECT budget, ceiling FROM budget_leases WHERE org_id = $1`, [org])) as never[]).map(
        ({ budget: field, ceiling }) => [field, Number(ceiling)],
      ),
    );

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
      expect(await rig.ledger.closeLost(org, { ttlMs: 1000, lostAfterMs: 0, committedToMs: Infinity })).toEqual([
        { processId, heldBy: 'counters' },
      ]);
      expect(await rig.totalOf(org, field)).toEqual({ total: before, sum: before });
      expect((await rig.spend(org)).get(field)).toEqual({ rolledUp: before, rows: before });
      kept.push(processId);
      if (fate === 'returns') {
        renameSync(path.join(rig.root, `../gone-${processId}`), path.join(rig.root, processId));
        const adopted = adoptSpools({ root: rig.root, own: 'nobody', ledger: rig.ledger, ttlMs: 1000, logger: silent });
        expect(await adopted).toBe(1);
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

  it("KEY-4: Redis' memory and a disk lost while the worker is away: the ledger's copy holds the cap, and that is told", async () => {
    const org = newOrg();
    await rig.stopWorker();
    const gateway = await rig.gateway({ times: { ttlMs: 1000 } });
    await admit(gateway, gateway.budgets.compile(org, [budget('b', USD)]), 3000);
    await until(async () => (await rig.totalOf(org, 'b|life')).total > 3000); // with its slice
    const { total } = await rig.totalOf(org, 'b|life');
    await until(async () => (await mirrorOf(org))['b|life'] === total);
    lose(gateway);
    await rig.redis.flushall();
    await until(async () => (await closeLost(org)).some(({ heldBy }) => heldBy === 'mirror'));
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total, sum: total });
    await rig.startWorker();
  }, 20_000);

  it('KEY-4: a process that ended while it brought its ceilings to a new Redis is booked at all of them', async () => {
    const org = newOrg();
    const gateway = await rig.gateway({ times: { ttlMs: 1000 } });
    const set = gateway.budgets.compile(org, [budget('a', USD), budget('b', USD, { leased: false })]);
    await admit(gateway, set, 3000);
    await until(async () => (await mirrorOf(org))['b|life'] === 3000);
    lose(gateway);
    const keys = budgetKeys(org);
    const gen = (await rig.redis.hget(keys.head, 'gen')) as string;
    await rig.redis.hdel(keys.ceilings(gen, gateway.budgets.processId), '#', 'b|life'); // the second part never came
    await rig.redis.hincrby(keys.totals(gen), 'b|life', -3000);
    await until(async () => (await closeLost(org)).length === 1);
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 3000, sum: 3000 });
  }, 20_000);

  it('KEY-4: a lost process is booked in each of its organisations, also where budgets have the same name', async () => {
    const orgs = [newOrg(), newOrg()];
    const gateway = await rig.gateway({ times: { ttlMs: 1000 } });
    for (const org of orgs)
      await admit(gateway, gateway.budgets.compile(org, [budget('b', USD, { leased: false })]), 3000);
    lose(gateway);
    const sameMs = `UPDATE budget_processes SET entered_at = now() WHERE process_id = $1`;
    await rig.source.query(sameMs, [gateway.budgets.processId]);
    for (const org of orgs) {
      await until(async () => (await closeLost(org)).length === 1);
      expect(await rig.totalOf(org, 'b|life')).toEqual({ total: 3000, sum: 3000 });
    }
  }, 20_000);

  it('KEY-6: rows that a process ships after it was booked as lost take the place of its slices', async () => {
    const org = newOrg();
    const gateway = await rig.gateway({ times: { ttlMs: 1000 } });
    const call = (await admit(gateway, gateway.budgets.compile(org, [budget('b', USD)]), 3000))!;
    const { processId } = gateway.budgets;
    gateway.budgets.abandon(); // as if it was frozen
    await until(async () => (await closeLost(org)).length === 1);
    const { total } = await rig.totalOf(org, 'b|life');
    const row = { i: call.id, o: org, p: processId, s: 'settled', e: 3000, c: 2000, b: ['b|life'], u: {} };
    const batch = { processId, from: 0, to: 1, rows: JSON.stringify(row) };
    const reply = await gateway.counters.ship({ run: '', ...batch });
    await gateway.counters.ship({ run: reply.status === 'RUN' ? reply.run : '', ...batch });
    await until(async () => (await rig.rows(org)).some(({ state }) => state === 'settled'));
    await rig.ledger.refold(org);
    expect((await rig.spend(org)).get('b|life')).toEqual({ rolledUp: total, rows: total });
    expect(await rig.totalOf(org, 'b|life')).toEqual({ total, sum: total });
  }, 20_000);
});
