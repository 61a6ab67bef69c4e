import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setImmediate as turnOver, setTimeout as sleep } from 'node:timers/promises';
import { newId } from '#libs/platform/ids.js';
import type { Logger } from '#libs/platform/logger.js';
import { Admission, type Refusal } from './admission.js';
import type { BudgetCounters, BudgetLedger, EnterReply, Shipment, ShipReply, TurnReply } from './budget-counters.js';
import type { BudgetDefinition } from './budget-definition.js';
import type { BudgetSet } from './budget-set.js';
import { Budgets, type BudgetsOptions } from './budgets.js';
import { recoverSpool } from './spool-recovery.js';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
interface SentAccount {
  readonly field: string;
  readonly limit: number;
  readonly mode: number;
  readonly base: number;
  readonly slack: number;
}
interface Sent {
  readonly seq: number;
  readonly accounts: readonly SentAccount[];
  readonly requests: readonly { readonly min: number; readonly want: number; readonly indexes: readonly number[] }[];
}

/** Reads the arguments of `turn.lua` back. */
function readArgs(args: readonly (string | number)[]): Sent {
  let at = 6;
  const next = (): number => Number(args[at++]);
  const accounts = Array.from({ length: Number(args[4]) }, () => ({
    field: String(args[at++]),
    limit: next(),
    mode: next(),
    base: next(),
    slack: next(),
  }));
  const requests = Array.from({ length: Number(args[5]) }, () => {
    const [min, want, n] = [next(), next(), next()] as const;
    return { min, want, indexes: Array.from({ length: n }, next) };
  });
  return { seq: Number(args[1]), accounts, requests };
}

/** A store that grants all, or what the test says; like Redis it knows only what it is told. */
class FakeStore implements BudgetCounters, BudgetLedger {
  readonly sent: Sent[] = [];
  readonly shipped: Shipment[] = [];
  readonly mirrored: unknown[] = [];
  readonly entries: (readonly (readonly [string, number])[])[] = [];
  recall: (field: string) => void = () => {};
  open = true;
  decide: (want: number, n: number) => number = (want) => want;
  status: 'OK' | 'GEN' | 'OUT' | 'OLD' = 'OK';
  isAway = false;
  enterReply: EnterReply = { state: 'live', gen: '1' };

  async turn(_org: string, _gen: string, _process: string, args: readonly (string | number)[]): Promise<TurnReply> {
    const sent = readArgs(args);
    this.sent.push(sent);
    await turnOver();
    if (this.isAway) throw new Error('Command timed out');
    if (this.status !== 'OK') return { status: this.status };
    const grants = sent.requests.map(({ want }, n) => this.decide(want, n));
    const granted = (index: number): number =>
      sent.requests.reduce(
        (sum, { indexes }, n) => sum + (indexes.includes(index) ? Math.max(0, grants[n] as number) : 0),
        0,
      );
    const values = sent.accounts.flatMap(({ base, slack }, n) => {
      const isShort = grants.includes(-(n + 1));
      const ceiling = base + granted(n + 1) + (isShort ? 0 : slack);
      return [ceiling, ceiling];
    });
    return { status: 'OK', nowMs: Date.now(), open: this.open, values, grants };
  }
  async ship(shipment: Shipment): Promise<ShipReply> {
    if (shipment.run !== 'run') return { status: 'RUN', run: 'run' };
    this.shipped.push(shipment);
    return { status: 'OK', acked: shipment.to };
  }
  onRecall(_org: string, listener: (field: string) => void): void {
    this.recall = listener;
  }
  async check(): Promise<void> {}
  async enter(_org: string, entry: { readonly ceilings: readonly (readonly [string, number])[] }): Promise<EnterReply> {
    this.entries.push(entry.ceilings);
    return this.enterReply;
  }
  mirror: BudgetLedger['mirror'] = async (_process, _seq, ceilings) => void this.mirrored.push(...ceilings);
  organisationsOf = async (): Promise<readonly string[]> => ['org'];
  hasNoLease = async (): Promise<boolean> => true;
  async add(): Promise<void> {}
  async close(): Promise<void> {}
}

describe('budgets of one process', () => {
  let root: string;
  let store: FakeStore;
  let budgets: Budgets;
  beforeEach(async () => {
    root = mkdtempSync(path.join(os.tmpdir(), 'sf-b-'));
    store = new FakeStore();
    budgets = await open();
  });
  afterEach(() => {
    budgets.abandon();
    rmSync(root, { recursive: true, force: true });
  });
  const open = (options: Partial<BudgetsOptions> = {}): Promise<Budgets> =>
    Budgets.open({
      counters: store,
      ledger: store,
      spoolRoot: root,
      logger: silent,
      onClosed: () => {},
      adoptEveryMs: 1e6,
      ...options,
    });
  const budget = (id: string, limitNanos: number, more: Partial<BudgetDefinition> = {}): BudgetDefinition => ({
    id, scope: 'key', limitNanos, period: 'lifetime', timeZone: 'UTC', weekStart: 1, mode: 'strict', ...more,
  }); // prettier-ignore
  const compile = (...definitions: BudgetDefinition[]): BudgetSet => budgets.compile('org', definitions);
  const admit = (set: BudgetSet, wantNanos: number, minNanos = wantNanos) =>
    budgets.admit({ id: newId('req'), set, minNanos, wantNanos, draft: '{}' });
  const admitted = async (set: BudgetSet, want: number): Promise<Admission> => {
    const outcome = await admit(set, want);
    if (!outcome.ok || !(await outcome.written)) throw new Error('refused');
    return outcome;
  };
  const rows = async () => {
    const found: { i: string; s: string; e: number; c: number }[] = [];
    const spool = await recoverSpool(path.join(root, budgets.processId));
    for await (const { json } of spool.rows()) found.push(JSON.parse(json));
    return found;
  };
  const isRefusal = (outcome: unknown): outcome is Refusal => (outcome as Refusal).ok === false;

  it('KEY-4: a call that fits into what this process owns is decided at once, without a message', async () => {
    const set = compile(budget('a', 1e9), budget('b', 1e9));
    await admitted(set, 1000); // brings slices
    const before = store.sent.length;
    const outcome = admit(set, 1000);
    expect(outcome).toBeInstanceOf(Admission);
    expect(await (outcome as Admission).written).toBe(true);
    expect(store.sent.length).toBe(before);
    expect(budgets.stats.local).toBe(1);
  });

  it('KEY-6: nothing may go upstream before its intent is in the file', async () => {
    const set = compile();
    const outcome = admit(set, 5) as Admission;
    expect(readFileSync(path.join(root, budgets.processId, '0.log'))).toHaveLength(0);
    expect(await outcome.written).toBe(true);
    expect(await rows()).toMatchObject([{ i: outcome.id, s: 'unknown', e: 5, c: 5 }]);
  });

  it('KEY-4: all that waits in one event-loop turn is one message, each account in it once', async () => {
    const set = compile(budget('a', 1e9), budget('b', 1e9));
    await sleep(30); // registered
    const before = store.sent.length;
    const outcomes = await Promise.all(Array.from({ length: 50 }, async () => admit(set, 1_000_000)));
    expect(outcomes.every((outcome) => outcome.ok)).toBe(true);
    const asking = store.sent.slice(before).filter(({ requests }) => requests.length > 0);
    expect(asking).toHaveLength(1);
    expect(asking[0]?.requests).toHaveLength(50);
    expect(asking[0]?.accounts.map(({ field }) => field)).toEqual(['a|life', 'b|life']);
  });

  it('KEY-4: I2 used + held never exceed what Redis was told, and it is told less before it may give it to others', async () => {
    const set = compile(budget('a', 1e9));
    const [account] = set.turnTo(Date.now());
    const calls: Admission[] = [];
    for (let n = 0; n < 200; n++) {
      const outcome = await admit(set, 1 + (n % 7) * 100);
      if (outcome.ok) calls.push(outcome);
      expect((account?.used ?? 0) + (account?.held ?? 0)).toBeLessThanOrEqual(account?.ceiling ?? 0);
      if (n % 3 === 0) budgets.settle(calls.shift() as Admission, 10, '{}');
      if (n % 20 === 0) store.recall('a|life');
      if (n % 11 === 0) await turnOver();
      for (const { accounts } of store.sent.slice(-1)) {
        for (const { base, slack } of accounts)
          expect(account?.ceiling).toBeLessThanOrEqual(Math.max(base + slack, account?.ceiling ?? 0));
      }
    }
  });

  it('KEY-4: a recall gives idle slack back at once, and single reservations follow', async () => {
    const set = compile(budget('a', 1e9));
    budgets.settle(await admitted(set, 1000), 500, '{}');
    const [account] = set.turnTo(Date.now());
    expect(account?.slack).toBeGreaterThan(0);
    store.recall('a|life');
    await turnOver();
    await turnOver();
    expect(store.sent.at(-1)?.accounts).toEqual([{ field: 'a|life', limit: 1e9, mode: 0, base: 500, slack: 0 }]);
    expect(account?.slack).toBe(0);
  });

  it('KEY-4: a refusal waits at most 80 ms for idle money of others, is remembered for 100 ms, then asked again', async () => {
    const set = compile(budget('a', 1e9));
    await sleep(30);
    store.decide = () => -1;
    const startMs = performance.now();
    const refused = await admit(set, 1000);
    const tookMs = performance.now() - startMs;
    expect(refused).toMatchObject({ ok: false, reason: 'budget', budget: { budgetId: 'a' } });
    expect(tookMs).toBeGreaterThan(60);
    expect(tookMs).toBeLessThan(400);
    const before = store.sent.length;
    expect(isRefusal(admit(set, 1000))).toBe(true);
    expect(isRefusal(admit(set, 2000))).toBe(true);
    expect(store.sent.length).toBe(before);
    store.decide = (want) => want;
    const smaller = await admit(set, 10); // less than was refused: worth asking
    expect(smaller.ok).toBe(true);
    await sleep(120);
    expect((await admit(set, 1000)).ok).toBe(true);
  });

  it('KEY-4: when Redis is silent slices go on until the lease ends, then hard budgets close and soft ones count on', async () => {
    budgets.abandon();
    budgets = await open({ times: { ttlMs: 300, storeWaitMs: 200 } });
    const hard = compile(budget('a', 1e9));
    const soft = compile(budget('s', 10, { mode: 'soft' }));
    await admitted(hard, 1000);
    store.isAway = true;
    expect((await admit(hard, 1000)).ok).toBe(true);
    await sleep(350);
    expect(await admit(hard, 1000)).toMatchObject({ ok: false, reason: 'store' });
    const counted = await admit(soft, 1000);
    expect(counted.ok && (await counted.written)).toBe(true);
    store.isAway = false;
    await sleep(100);
    expect((await admit(hard, 1000)).ok).toBe(true);
  });

  it('KEY-6: Redis that lost its memory: the process joins again with all it owns', async () => {
    const set = compile(budget('a', 1e9));
    const call = await admitted(set, 1000);
    budgets.settle(call, 400, '{}');
    const open2 = await admitted(set, 70);
    const [account] = set.turnTo(Date.now());
    store.status = 'GEN';
    store.recall('a|life');
    await sleep(30);
    store.status = 'OK';
    await sleep(150);
    expect(budgets.stats.rejoins).toBeGreaterThanOrEqual(1);
    const [field, nanos] = store.entries.at(-1)?.[0] ?? ['', 0];
    expect(field).toBe('a|life');
    expect(nanos).toBeGreaterThanOrEqual((account?.used ?? 0) + (account?.held ?? 0));
    expect((await admit(set, 10)).ok).toBe(true);
    budgets.settle(open2, 1, '{}');
  });

  it('KEY-6: a disk that refuses the turn refuses its calls, and the money is free again', async () => {
    const set = compile(budget('a', 1e9));
    const running = await admitted(set, 1000);
    const flush = budgets.spool.flush.bind(budgets.spool);
    budgets.spool.flush = () => {
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    };
    const [account] = set.turnTo(Date.now());
    const held = account?.held;
    const refused = admit(set, 10) as Admission;
    const more = budgets.extend(running, 10);
    expect(await refused.written).toBe(false);
    expect(await more).toBe(false);
    expect(account?.held).toBe(held);
    expect(running.boundNanos).toBe(1000);
    expect(admit(set, 10)).toMatchObject({ ok: false, reason: 'store' }); // closed for a moment
    budgets.settle(running, 5, '{}'); // the end of a running call is kept
    budgets.spool.flush = flush;
    await sleep(600);
    expect((await admit(set, 10)).ok).toBe(true);
    expect(await rows()).toContainEqual(expect.objectContaining({ i: running.id, s: 'settled', c: 5 }));
  });

  it('KEY-4: amounts that are none are refused, or booked at the bound', async () => {
    const set = compile(budget('a', 1e9));
    for (const nanos of [-1, 0.5, NaN, Infinity, 9_000_000_000_000_001, 2 ** 60]) {
      expect(admit(set, nanos)).toMatchObject({ ok: false, reason: 'store' });
      const call = await admitted(set, 100);
      expect(await budgets.extend(call, nanos)).toBe(false);
      budgets.settle(call, nanos, '{}');
      await turnOver();
      expect((await rows()).find(({ i }) => i === call.id)).toMatchObject({ s: 'unknown', c: 100 });
    }
    expect(budgets.stats.invalidCosts).toBe(6);
  });

  it('KEY-6: an unknown row stands at its bound, or at what was seen where that is more, also without budgets', async () => {
    const soft = compile(budget('a', 1e9, { mode: 'soft' }));
    budgets.settle(await admitted(compile(), 0), null, '{}', 30);
    const ends = [[40], [170], [40, 60], [70, 60], [0, 500]] as const; // seen, and the most that it can have cost
    for (const end of ends) budgets.settle(await admitted(soft, 100), null, '{}', ...end);
    await turnOver();
    const booked = (await rows()).filter(({ s }) => s === 'unknown').map(({ c }) => c);
    expect([...booked, soft.turnTo(Date.now())[0]?.used]).toEqual([30, 100, 170, 60, 70, 100, 500]);
  });

  it('KEY-4: a call ends once', async () => {
    const set = compile(budget('a', 1e9));
    const [account] = set.turnTo(Date.now());
    const call = await admitted(set, 100);
    budgets.settle(call, 60, '{}');
    budgets.settle(call, 70, '{}');
    budgets.cancel(call);
    expect(await budgets.extend(call, 5)).toBe(false);
    expect([account?.used, account?.held]).toEqual([60, 0]);
  });

  it('KEY-4: a free call of an exhausted budget is refused too, one of a budget with room is not', async () => {
    const set = compile(budget('a', 1e9));
    const free = await admitted(set, 0);
    expect(free.boundNanos).toBe(0);
    budgets.settle(free, 0, '{}');
  });

  it('KEY-3: headers tell the tightest budget; soft ones only where there is no other', async () => {
    const set = compile(budget('wide', 5e9), budget('tight', 1e6, { scope: 'team' }), budget('s', 1, { mode: 'soft' }));
    const call = await admitted(set, 1000);
    expect(budgets.tightest(set)).toEqual({
      budgetId: 'tight', scope: 'team', mode: 'strict', limitNanos: 1e6, remainingNanos: 1e6 - 1000,
      period: 'life', resetMs: null,
    }); // prettier-ignore
    budgets.settle(call, 250, '{}');
    expect(budgets.tightest(set)?.remainingNanos).toBe(1e6 - 250);
    expect(budgets.tightest(compile(budget('s', 1, { mode: 'soft' })))?.budgetId).toBe('s');
    expect(budgets.tightest(compile())).toBeNull();
  });

  it('KEY-2: at a period’s edge calls go to the next period, and those that run are charged to theirs', async () => {
    let period = 1;
    budgets.abandon();
    budgets = await open({ periodOf: () => ({ name: `d2026-11-0${period}`, startMs: -Infinity, endMs: -Infinity }) });
    const set = compile(budget('a', 1e9));
    const before = await admitted(set, 100);
    period = 2;
    const after = await admitted(set, 100);
    budgets.settle(before, 40, '{}');
    expect(before.accounts[0]?.field).toBe('a|d2026-11-01');
    expect(after.accounts[0]?.field).toBe('a|d2026-11-02');
    expect([before.accounts[0]?.used, after.accounts[0]?.used]).toEqual([40, 0]);
    expect((await rows()).length).toBe(2);
  });

  it('KEY-4: a lowered limit takes slices back at once', async () => {
    const set = compile(budget('a', 1e9));
    budgets.settle(await admitted(set, 1000), 1000, '{}');
    const [account] = set.turnTo(Date.now());
    expect(account?.slack).toBeGreaterThan(0);
    compile(budget('a', 1000)).turnTo(Date.now());
    await sleep(30);
    expect(account?.slack).toBe(0);
    expect(store.sent.at(-1)?.accounts[0]).toMatchObject({ limit: 1000 });
  });

  it('KEY-6: rows are shipped every 20 ms and the spool is emptied as they are committed', async () => {
    const set = compile(budget('a', 1e9));
    for (let n = 0; n < 5; n++) budgets.settle(await admitted(set, 10), 5, '{}');
    await sleep(500);
    const shipped = store.shipped.flatMap(({ rows: text }) => (text === '' ? [] : text.split('\n')));
    expect(shipped).toHaveLength(5);
    expect(budgets.spool.heldBytes).toBe(0);
    expect(store.mirrored).toContainEqual(expect.objectContaining({ orgId: 'org', field: 'a|life' }));
    expect(await budgets.close()).toBe(true);
    budgets = await open();
  });

  it('KEY-6: closed by the ledger: the process is told to end, once, and admits nothing', async () => {
    let closed = 0;
    budgets.abandon();
    budgets = await open({ onClosed: () => (closed += 1) });
    const set = compile(budget('a', 1e9));
    await admitted(set, 10);
    store.enterReply = { state: 'closed' };
    store.status = 'OUT';
    store.recall('a|life');
    await sleep(100);
    expect(closed).toBe(1);
    expect(admit(set, 10)).toMatchObject({ ok: false, reason: 'store' });
  });

  it('refuses definitions that cannot be, with the field named', () => {
    expect(() => compile(budget('a|b', 1))).toThrow(/budgets\[0\]\.id/);
    expect(() => compile(budget('a\nb', 1))).toThrow(/budgets\[0\]\.id/);
    expect(() => compile(budget('a', 1), budget('b', 9_000_000_000_000_001))).toThrow(
      /budgets\[1\]\.limitNanos.*\$9,000,000/,
    );
    expect(() => compile(budget('a', 1), budget('a', 1))).toThrow(/twice/);
    expect(() => compile(...Array.from({ length: 33 }, (_, n) => budget(`b${n}`, 1)))).toThrow(/at most 32/);
    expect(() => budgets.compile('org|{x}', [])).toThrow(/orgId/);
  });
});
