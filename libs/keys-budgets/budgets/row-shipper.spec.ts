import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { BudgetCounters, Shipment, ShipReply } from './budget-counters.js';
import { RowShipper } from './row-shipper.js';
import { openSpoolFolder } from './spool-folder.js';
import { Spool } from './spool.js';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('rows on their way to the stream', () => {
  let root: string;
  let spool: Spool;
  let shipped: Shipment[];
  let reply: (shipment: Shipment) => ShipReply;
  let shipper: RowShipper;
  let nowMs = 1000;
  beforeEach(async () => {
    root = mkdtempSync(path.join(os.tmpdir(), 'sf-r-'));
    spool = new Spool(await openSpoolFolder(root, 'p1'), { syncMs: 0 });
    [shipped, nowMs] = [[], 1000];
    reply = ({ run, to }) => (run === 'r1' ? { status: 'OK', acked: to } : { status: 'RUN', run: 'r1' });
    const ship = async (shipment: Shipment): Promise<ShipReply> => {
      shipped.push(shipment);
      return reply(shipment);
    };
    shipper = new RowShipper({
      processId: 'p1',
      spool,
      counters: { ship } as unknown as BudgetCounters,
      windowBytes: 100_000,
    });
  });
  afterEach(() => {
    spool.abandon();
    rmSync(root, { recursive: true, force: true });
  });
  let n = 0;
  const call = (bytes = 10): void => {
    const row = JSON.stringify({ i: `c${++n}`, o: 'org', u: 'x'.repeat(bytes) });
    const segment = spool.intent(row);
    spool.settle(row, segment);
    spool.flush();
  };
  const tick = async (afterMs = 20): Promise<void> => {
    shipper.tick((nowMs += afterMs));
    await settled();
    await settled();
  };

  it('KEY-6: the first message learns the life of the server, the rows follow from memory', async () => {
    call();
    await tick();
    await tick();
    expect(shipped.map(({ run, from, to }) => [run, from, to === spool.end])).toEqual([
      ['', 0, false],
      ['r1', 0, true],
    ]);
    expect(spool.heldBytes).toBe(0);
  });

  it('KEY-6: when the server begins another life all that is not committed goes again', async () => {
    reply = ({ run }) => (run === '' ? { status: 'RUN', run: 'r1' } : { status: 'OK', acked: 0 });
    call();
    await tick();
    await tick();
    call();
    await tick();
    expect(spool.shipped).toBe(spool.end);
    reply = ({ run, to }) => (run === 'r2' ? { status: 'OK', acked: to } : { status: 'RUN', run: 'r2' });
    await tick(250); // asks how far the ledger is
    await tick();
    expect(shipped.at(-1)).toMatchObject({ run: 'r2', from: 0, to: spool.end });
    expect(shipped.at(-1)?.rows.split('\n')).toHaveLength(2);
  });

  it('KEY-6: a batch without an answer goes again, from the disk, with the same offsets', async () => {
    await tick();
    call();
    await tick();
    call();
    reply = () => {
      throw new Error('Command timed out');
    };
    await tick(300);
    const failed = shipped.at(-1);
    reply = ({ to }) => ({ status: 'OK', acked: to });
    await tick();
    expect(shipped.at(-1)).toMatchObject({ from: failed?.from, to: failed?.to, rows: failed?.rows });
  });

  it('KEY-6: what the ledger does not get is shipped again after a while, ever more seldom', async () => {
    reply = ({ run }) => (run === '' ? { status: 'RUN', run: 'r1' } : { status: 'OK', acked: 0 });
    call();
    await tick();
    await tick();
    const count = (): number => shipped.filter(({ rows }) => rows !== '').length;
    const before = count();
    for (let s = 0; s < 9; s++) await tick(1000);
    expect(count()).toBe(before);
    for (let s = 0; s < 3; s++) await tick(1000);
    expect(count()).toBe(before + 1);
    for (let s = 0; s < 15; s++) await tick(1000);
    expect(count()).toBe(before + 1);
    for (let s = 0; s < 10; s++) await tick(1000);
    expect(count()).toBe(before + 2);
  });

  it('KEY-6: with the worker away no more than the window lies in the stream', async () => {
    reply = ({ run }) => (run === '' ? { status: 'RUN', run: 'r1' } : { status: 'OK', acked: 0 });
    for (let i = 0; i < 40; i++) {
      call(5000);
      await tick();
    }
    expect(spool.end).toBeGreaterThan(300_000);
    expect(spool.shipped).toBeLessThan(100_000 + 300_000); // one batch may pass it
    expect(spool.shipped).toBeLessThan(spool.end);
    reply = ({ to }) => ({ status: 'OK', acked: to });
    for (let i = 0; i < 10; i++) await tick(250);
    expect(spool.heldBytes).toBe(0);
  });
});
