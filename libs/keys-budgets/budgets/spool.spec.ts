import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { isOwnerAlive, openSpoolFolder, SpoolUnusableError } from './spool-folder.js';
import { decodeLines, encodeLine, encodeNext, NEXT_LINE_BYTES } from './spool-line.js';
import { recoverSpool } from './spool-recovery.js';
import { Spool, type SpoolOptions } from './spool.js';

const row = (i: string, s = 'settled', c = 1, o = 'org_a'): string =>
  JSON.stringify({ i, o, s, c, u: { text: 'Zoë 💶' } });

describe('spool', () => {
  let root: string;
  const opened: Spool[] = [];
  beforeEach(() => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), 'sf-spool-'));
  });
  afterEach(() => {
    for (const spool of opened.splice(0)) spool.abandon();
    fs.rmSync(root, { recursive: true, force: true });
  });
  const open = async (options: SpoolOptions = {}, id = 'p1'): Promise<{ spool: Spool; dir: string }> => {
    const folder = await openSpoolFolder(root, id);
    const spool = new Spool(folder, { syncMs: 0, ...options });
    opened.push(spool);
    return { spool, dir: folder.dir };
  };
  const rowsOf = async (dir: string, org = 'org_a') => {
    const found: { i: string; s: string; c: number }[] = [];
    for await (const { orgId, json } of (await recoverSpool(dir)).rows()) {
      if (orgId === org) found.push(JSON.parse(json) as { i: string; s: string; c: number });
    }
    return found;
  };
  const ids = (rows: string): string[] =>
    rows === '' ? [] : rows.split('\n').map((json) => (JSON.parse(json) as { i: string }).i);

  it('KEY-6: all intents of a turn are one write, and nothing is written before', async () => {
    const { spool, dir } = await open();
    for (let n = 0; n < 100; n++) spool.intent(row(`c${n}`, 'unknown'));
    expect(fs.statSync(path.join(dir, '0.log')).size).toBe(0);
    spool.flush();
    expect(fs.statSync(path.join(dir, '0.log')).size).toBe(spool.end);
    expect(await rowsOf(dir)).toHaveLength(100);
  });

  it('KEY-6: an unfinished call is found at its last bound, a finished one as it ended', async () => {
    const { spool, dir } = await open();
    const segment = spool.intent(row('done', 'unknown', 9));
    const open1 = spool.intent(row('open', 'unknown', 5));
    spool.flush();
    spool.amend(row('open', 'unknown', 7), open1);
    spool.settle(row('done', 'settled', 3), segment);
    spool.flush();
    expect((await rowsOf(dir)).map(({ i, s, c }) => [i, s, c])).toEqual([
      ['open', 'unknown', 7],
      ['done', 'settled', 3],
    ]);
  });

  it('KEY-6: rows are shipped with offsets that join, and stay until the ledger has them', async () => {
    const { spool, dir } = await open({ segmentBytes: 400 });
    for (let n = 0; n < 20; n++) {
      const segment = spool.intent(row(`c${n}`, 'unknown'));
      spool.flush();
      spool.settle(row(`c${n}`), segment);
      spool.flush();
    }
    const batch = spool.next();
    expect([batch.from, batch.to]).toEqual([0, spool.end]);
    expect(ids(batch.rows)).toHaveLength(20);
    spool.confirm(batch.to);
    expect(spool.hasUnshipped).toBe(false);
    expect(fs.readdirSync(dir).length).toBeGreaterThan(5);
    spool.trim(spool.end);
    expect(fs.readdirSync(dir).filter((name) => name.endsWith('.log'))).toHaveLength(1);
    expect(spool.heldBytes).toBe(0);
  });

  it('KEY-6: an open call keeps its segment, and hence all later ones, while they are small', async () => {
    const { spool, dir } = await open({ segmentBytes: 300, pinnedBytes: 5000 });
    const open1 = spool.intent(row('open', 'unknown'));
    for (let n = 0; n < 10; n++) {
      const segment = spool.intent(row(`c${n}`, 'unknown'));
      spool.flush();
      spool.settle(row(`c${n}`), segment);
      spool.flush();
    }
    spool.trim(spool.end);
    expect(fs.existsSync(path.join(dir, '0.log'))).toBe(true);
    expect(await recoverSpool(dir)).toMatchObject({ from: 0, fault: null });
    spool.settle(row('open'), open1);
    spool.flush();
    spool.trim(spool.end);
    expect(fs.existsSync(path.join(dir, '0.log'))).toBe(false);
  });

  /** Calls that come and go, each committed at once, while others stay open. */
  const pass = (spool: Spool, calls: number): void => {
    for (let n = 0; n < calls; n++) {
      const intent = spool.intent(row(`c${n}`, 'unknown'));
      spool.flush();
      spool.settle(row(`c${n}`), intent);
      spool.flush();
      spool.confirm(spool.next().to);
      spool.trim(spool.end);
    }
  };
  const bytesOf = (dir: string): number =>
    fs
      .readdirSync(dir)
      .filter((name) => name.endsWith('.log'))
      .reduce((sum, name) => sum + fs.statSync(path.join(dir, name)).size, 0);

  it('KEY-6: a call that stays open for long does not keep what came after it: its intent moves, and counts once', async () => {
    const { spool, dir } = await open({ segmentBytes: 400, pinnedBytes: 2000 });
    const slow = spool.intent(row('slow', 'unknown', 5));
    spool.flush();
    spool.amend(row('slow', 'unknown', 8), slow);
    spool.flush();
    let most = 0;
    for (let round = 0; round < 20; round++) {
      pass(spool, 10);
      expect(spool.diskBytes).toBe(bytesOf(dir));
      most = Math.max(most, spool.diskBytes);
      expect((await recoverSpool(dir)).fault).toBeNull();
      expect((await rowsOf(dir)).filter(({ i }) => i === 'slow')).toEqual([
        expect.objectContaining({ s: 'unknown', c: 8 }),
      ]);
    }
    expect(spool.end).toBeGreaterThan(20_000);
    expect(most).toBeLessThan(2000 + 3 * 400);
    expect((await recoverSpool(dir)).from).toBeGreaterThan(10_000);
    spool.settle(row('slow', 'settled', 3), slow);
    spool.flush();
    expect((await rowsOf(dir)).filter(({ i }) => i === 'slow')).toEqual([
      expect.objectContaining({ s: 'settled', c: 3 }),
    ]);
    pass(spool, 20);
    expect(spool.heldBytes).toBe(0);
    expect((await rowsOf(dir)).filter(({ i }) => i === 'slow')).toEqual([]);
  });

  it('KEY-6: intents that fill the files themselves are not written over and over', async () => {
    const { spool, dir } = await open({ segmentBytes: 400, pinnedBytes: 1000 });
    for (let n = 0; n < 40; n++) {
      spool.intent(row(`open${n}`, 'unknown'));
      spool.flush();
    }
    const before = spool.end;
    pass(spool, 5);
    expect(spool.end - before).toBeLessThan(2000);
    expect((await rowsOf(dir)).filter(({ i }) => i.startsWith('open'))).toHaveLength(40);
  });

  it('KEY-6: what the stream lost is shipped again from the disk, settled rows only, each once', async () => {
    const { spool } = await open({ segmentBytes: 500 });
    for (let n = 0; n < 30; n++) {
      const segment = spool.intent(row(`c${n}`, 'unknown'));
      spool.flush();
      spool.settle(row(`c${n}`), segment);
      spool.flush();
    }
    spool.confirm(spool.next().to);
    spool.resend(0);
    const seen: string[] = [];
    for (let at = 0; spool.hasUnshipped;) {
      const batch = spool.next();
      expect(batch.from).toBe(at);
      at = batch.to;
      seen.push(...ids(batch.rows));
      spool.confirm(batch.to);
    }
    expect(seen).toEqual(Array.from({ length: 30 }, (_, n) => `c${n}`));
    expect(spool.hasUnshipped).toBe(false);
  });

  it('KEY-6: a torn last line is a turn that was never dispatched', async () => {
    const { spool, dir } = await open();
    spool.intent(row('whole', 'unknown'));
    spool.flush();
    fs.appendFileSync(path.join(dir, '0.log'), encodeLine('I', row('torn', 'unknown')).slice(0, -3));
    expect((await rowsOf(dir)).map(({ i }) => i)).toEqual(['whole']);
    expect(await recoverSpool(dir)).toMatchObject({ from: 0, fault: null });
  });

  it('KEY-6: every changed byte is noticed: the process then counts as lost, never as having spent less', async () => {
    const { spool, dir } = await open();
    for (let n = 0; n < 3; n++) spool.intent(row(`c${n}`, 'unknown'));
    spool.flush();
    const good = fs.readFileSync(path.join(dir, '0.log'));
    for (let at = 0; at < good.length; at += 7) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] as number) ^ 0x04;
      if (at === good.length - 1) continue; // the last line break: that line is torn
      fs.writeFileSync(path.join(dir, '0.log'), bad);
      const { from, fault } = await recoverSpool(dir);
      expect([at, from]).toEqual([at, Infinity]);
      expect(fault).toContain('segment 0');
    }
  });

  it('KEY-6: a segment that is missing is noticed, in the middle and at the end', async () => {
    const { spool, dir } = await open({ segmentBytes: 200 });
    for (let n = 0; n < 12; n++) {
      spool.intent(row(`c${n}`, 'unknown'));
      spool.flush();
    }
    const names = fs
      .readdirSync(dir)
      .filter((name) => name.endsWith('.log'))
      .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
    expect((await recoverSpool(dir)).fault).toBeNull();
    for (const name of [names[1], names.at(-1)] as string[]) {
      const bytes = fs.readFileSync(path.join(dir, name));
      fs.rmSync(path.join(dir, name));
      expect(await recoverSpool(dir)).toMatchObject({ from: Infinity });
      fs.writeFileSync(path.join(dir, name), bytes);
    }
  });

  it('KEY-6: a kill between two segments loses nothing', async () => {
    const { spool, dir } = await open();
    spool.intent(row('a', 'unknown'));
    spool.flush();
    fs.writeFileSync(path.join(dir, `${spool.end + NEXT_LINE_BYTES}.log`), '');
    expect(await recoverSpool(dir)).toMatchObject({ from: 0, fault: null });
    expect(encodeNext(5)).toHaveLength(NEXT_LINE_BYTES);
  });

  it('KEY-6: a full disk refuses the turn, keeps the ends of calls, and goes on when there is room', async () => {
    const dir = fs.mkdtempSync(path.join(root, 'small-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir], { stdio: 'pipe' });
    } catch {
      return; // no right to mount here: the next test shows the same with a failing write
    }
    try {
      const folder = await openSpoolFolder(dir, 'p1');
      const spool = new Spool(folder, { syncMs: 0 });
      const first = spool.intent(row('first', 'unknown'));
      spool.flush();
      let refused = 0;
      for (let n = 0; n < 2000 && refused === 0; n++) {
        spool.intent(row(`c${n}`, 'unknown'));
        try {
          spool.flush();
        } catch (error) {
          expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
          refused += 1;
        }
      }
      expect(refused).toBe(1);
      spool.settle(row('first', 'settled', 2), first);
      expect(spool.hasUnwritten).toBe(true);
      const before = (await rowsOf(folder.dir)).length;
      execFileSync('mount', ['-o', 'remount,size=256k', dir], { stdio: 'pipe' });
      spool.flush();
      const recovered = await recoverSpool(folder.dir);
      expect(recovered.fault).toBeNull();
      const rows = await rowsOf(folder.dir);
      expect(rows).toHaveLength(before);
      expect(rows.find(({ i }) => i === 'first')).toMatchObject({ s: 'settled', c: 2 });
      spool.remove();
    } finally {
      execFileSync('umount', [dir], { stdio: 'pipe' });
    }
  });

  it('KEY-6: a write that fails half way leaves no trace in the file', async () => {
    const { spool, dir } = await open();
    const first = spool.intent(row('first', 'unknown'));
    spool.flush();
    const size = spool.end;
    // what half a write looks like to the next life, had the process died right then
    fs.appendFileSync(path.join(dir, '0.log'), encodeLine('I', row('half', 'unknown')).slice(0, 20));
    spool.settle(row('first'), first);
    spool.flush(); // writes at its own position, over what should not be there
    const text = fs.readFileSync(path.join(dir, '0.log')).subarray(0, spool.end);
    expect([...decodeLines(text)].every((line) => line !== null)).toBe(true);
    expect(spool.end).toBeGreaterThan(size);
  });

  it('KEY-6: the rows of each organisation are told apart', async () => {
    const { spool, dir } = await open();
    spool.intent(row('a', 'unknown', 1, 'org_a'));
    spool.intent(row('b', 'unknown', 1, 'org_b'));
    spool.flush();
    const recovered = await recoverSpool(dir);
    expect([...recovered.orgIds].sort()).toEqual(['org_a', 'org_b']);
    expect((await rowsOf(dir, 'org_b')).map(({ i }) => i)).toEqual(['b']);
  });

  it('KEY-6: a folder tells whether its process lives', async () => {
    const { dir } = await open();
    expect(await isOwnerAlive(dir)).toBe(true);
    opened.splice(0)[0]?.abandon();
    expect(await isOwnerAlive(dir)).toBe(false);
    expect(await isOwnerAlive(path.join(root, 'nowhere'))).toBe(false);
  });

  it('refuses a folder whose path no socket can have, and says how long it may be', async () => {
    const deep = path.join(root, 'x'.repeat(120));
    await expect(openSpoolFolder(deep, 'p1')).rejects.toThrow(SpoolUnusableError);
    await expect(openSpoolFolder(deep, 'p1')).rejects.toThrow(/too long for a socket in it \(\d+ bytes, at most \d+\)/);
    expect(fs.existsSync(deep)).toBe(false);
  });

  it('refuses a folder that cannot be made', async () => {
    fs.writeFileSync(path.join(root, 'file'), '');
    await expect(openSpoolFolder(path.join(root, 'file'), 'p1')).rejects.toThrow(/cannot be used/);
  });
});
