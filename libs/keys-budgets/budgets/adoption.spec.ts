import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Logger } from '#libs/platform/logger.js';
import { adoptSpools, type FailedAdoption } from './adoption.js';
import type { BudgetLedger } from './budget-counters.js';
import { openSpoolFolder } from './spool-folder.js';
import { Spool } from './spool.js';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
const row = (i: string, o: string): string =>
  JSON.stringify({ i, o, p: 'dead', s: 'unknown', e: 5, c: 5, b: [], u: {} });

describe('spools of dead processes', () => {
  let root: string;
  let closed: { org: string; process: string; ids: string[]; from: number }[];
  let ledger: BudgetLedger;
  let fails = false;
  let unfit = '';
  let failed: Map<string, FailedAdoption>;
  let lines: unknown[];
  const logger: Logger = { ...silent, error: (fields: unknown) => void lines.push(fields) };
  beforeEach(() => {
    root = mkdtempSync(path.join(os.tmpdir(), 'sf-a-'));
    closed = [];
    fails = false;
    unfit = '';
    failed = new Map();
    lines = [];
    const added = new Map<string, string[]>();
    ledger = {
      mirror: async () => {},
      enter: async () => ({ state: 'closed' }),
      organisationsOf: async () => ['org_known'],
      hasNoLease: async () => false,
      add: async (org, process, rows) => {
        if (fails || process === unfit) throw new Error('PostgreSQL is away');
        const ids = rows.map((json) => (JSON.parse(json) as { i: string }).i);
        const before = added.get(`${org} ${process}`) ?? [];
        before.push(...ids);
        added.set(`${org} ${process}`, before);
      },
      close: async (org, process, rows, from) => {
        expect([...rows]).toEqual([]);
        closed.push({ org, process, ids: added.get(`${org} ${process}`) ?? [], from });
      },
    };
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  const adopt = (): Promise<number> => adoptSpools({ root, own: 'me', ledger, ttlMs: 1000, logger, failed });
  const leave = async (id: string, write: (spool: Spool) => void = () => {}): Promise<void> => {
    const spool = new Spool(await openSpoolFolder(root, id), { syncMs: 0 });
    write(spool);
    spool.flush();
    spool.abandon();
  };

  it('KEY-6: each organisation gets its rows and the end of the process, also one that has no rows', async () => {
    await leave('dead', (spool) => {
      spool.intent(row('a', 'org_a'));
      spool.intent(row('b', 'org_b'));
    });
    expect(await adopt()).toBe(1);
    expect(closed.map(({ org, ids, from }) => [org, ids, from])).toEqual([
      ['org_known', [], 0],
      ['org_a', ['a'], 0],
      ['org_b', ['b'], 0],
    ]);
    expect(readdirSync(root)).toEqual([]);
  });

  it('KEY-6: the living and oneself are left alone', async () => {
    const alive = await openSpoolFolder(root, 'alive');
    await leave('me');
    expect(await adopt()).toBe(0);
    expect(readdirSync(root).toSorted((a, b) => a.localeCompare(b))).toEqual(['alive', 'me']);
    alive.remove();
  });

  it('KEY-6: a spool stays until the ledger has taken it', async () => {
    await leave('dead', (spool) => void spool.intent(row('a', 'org_a')));
    fails = true;
    expect(await adopt()).toBe(0);
    expect(existsSync(path.join(root, 'dead'))).toBe(true);
    expect(lines).toEqual([{ err: new Error('PostgreSQL is away'), folder: path.join(root, 'dead') }]);
    fails = false;
    failed.get('dead')!.untilMs = 0;
    expect(await adopt()).toBe(1);
    expect(failed.size).toBe(0);
  });

  it('KEY-6: a spool that cannot be taken over is named once and rests; those after it do not wait for it', async () => {
    for (const name of ['a', 'b', 'c']) await leave(name, (spool) => void spool.intent(row(`call_${name}`, 'org_a')));
    unfit = 'b';
    expect(await adopt()).toBe(2);
    expect(readdirSync(root)).toEqual(['b']);
    expect(await adopt()).toBe(0); // it rests: not even read
    const first = failed.get('b')!;
    expect(first.untilMs).toBeGreaterThan(performance.now());
    first.untilMs = 0;
    expect(await adopt()).toBe(0);
    expect(failed.get('b')?.tries).toBe(2);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ folder: path.join(root, 'b') });
  });

  it('KEY-6: a large spool is read a few milliseconds at a time, and handed over in parts', async () => {
    const many = 60_000;
    await leave('dead', (spool) => {
      for (let n = 0; n < many; n++) spool.intent(row(`call_${n}`, `org_${n % 3}`));
    });
    const parts: number[] = [];
    const add = ledger.add.bind(ledger);
    ledger.add = async (org, process, rows) => {
      parts.push(rows.length);
      await add(org, process, rows);
    };
    let [longestMs, lastMs, isOver] = [0, performance.now(), false];
    const look = (): void => {
      longestMs = Math.max(longestMs, performance.now() - lastMs);
      lastMs = performance.now();
      if (!isOver) setImmediate(look);
    };
    look();
    const beganMs = performance.now();
    expect(await adopt()).toBe(1);
    isOver = true;
    // it yields every four milliseconds; more is granted to a busy machine, far less than the whole takes
    expect(longestMs).toBeLessThan((performance.now() - beganMs) / 8);
    expect(Math.max(...parts)).toBeLessThanOrEqual(500);
    expect(closed.filter(({ ids }) => ids.length === many / 3)).toHaveLength(3);
  });

  it('KEY-6: a damaged spool is told to the ledger as one with pieces missing', async () => {
    await leave('dead', (spool) => void spool.intent(row('a', 'org_a')));
    writeFileSync(path.join(root, 'dead', '0.log'), 'Izzzzzzzz{"broken"\n');
    expect(await adopt()).toBe(1);
    expect(closed).toEqual([{ org: 'org_known', process: 'dead', ids: [], from: Infinity }]);
  });

  it('KEY-6: where a socket proves nothing, the lease decides', async () => {
    await leave('dead');
    writeFileSync(path.join(root, 'dead', 'kernel'), 'another machine');
    expect(await adopt()).toBe(0);
    ledger.hasNoLease = async () => true;
    expect(await adopt()).toBe(1);
  });

  it('KEY-6: a folder half made is left alone for a while, then removed', async () => {
    const fresh = path.join(root, '.new-x');
    mkdirSync(fresh);
    expect(await adopt()).toBe(0);
    utimesSync(fresh, new Date(0), new Date(0));
    expect(await adopt()).toBe(1);
    expect(closed).toEqual([]);
  });
});
