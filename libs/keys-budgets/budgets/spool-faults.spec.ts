import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** What the disk refuses at the moment. */
const refuses = { write: false, truncate: false };
const enospc = (): never => {
  throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
};
jest.unstable_mockModule('node:fs', () => ({
  ...fs,
  default: fs,
  writeSync: (fd: number, bytes: Buffer, offset: number, length: number, position: number): number => {
    if (!refuses.write) return fs.writeSync(fd, bytes, offset, length, position);
    return offset > 0 ? enospc() : fs.writeSync(fd, bytes, offset, Math.min(length, 20), position); // half of it arrives
  },
  ftruncateSync: (fd: number, size: number): void => (refuses.truncate ? enospc() : fs.ftruncateSync(fd, size)),
}));
const { Spool } = await import('./spool.js');
const { openSpoolFolder } = await import('./spool-folder.js');
const { recoverSpool } = await import('./spool-recovery.js');

const row = (i: string, s = 'unknown', c = 1): string => JSON.stringify({ i, o: 'org', s, c });

describe('spool on a disk that refuses', () => {
  let root: string;
  let dir: string;
  let spool: InstanceType<typeof Spool>;
  beforeEach(async () => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), 'sf-sf-'));
    const folder = await openSpoolFolder(root, 'p1');
    dir = folder.dir;
    spool = new Spool(folder, { syncMs: 0, segmentBytes: 300, pinnedBytes: 600 });
  });
  afterEach(() => {
    Object.assign(refuses, { write: false, truncate: false });
    spool.abandon();
    fs.rmSync(root, { recursive: true, force: true });
  });
  const rows = async (): Promise<(readonly [string, string, number])[]> => {
    const found: (readonly [string, string, number])[] = [];
    for await (const { json } of (await recoverSpool(dir)).rows()) {
      const { i, s, c } = JSON.parse(json) as { i: string; s: string; c: number };
      found.push([i, s, c]);
    }
    return found;
  };
  const logs = (): string[] => fs.readdirSync(dir).filter((name) => name.endsWith('.log'));
  const refusedTurn = (write: () => void): void => {
    Object.assign(refuses, { write: true, truncate: true });
    write();
    expect(() => spool.flush()).toThrow('ENOSPC');
    Object.assign(refuses, { write: false, truncate: false });
  };

  it('KEY-6: half a write at the very start of a segment that cannot be taken back: the file is the same, and stays', async () => {
    refusedTurn(() => spool.forget(spool.intent(row('refused'))));
    const first = spool.intent(row('a'));
    spool.flush();
    expect(logs()).toEqual(['0.log']);
    expect(spool.diskBytes).toBe(fs.statSync(path.join(dir, '0.log')).size);
    spool.trim(spool.end); // an entry left over would take the file away under the spool
    expect(logs()).toEqual(['0.log']);
    expect(await rows()).toEqual([['a', 'unknown', 1]]);
    spool.settle(row('a', 'settled', 2), first);
    spool.flush();
    expect(await rows()).toEqual([['a', 'settled', 2]]);
  });

  it('KEY-6: half a write later in a segment: the next one begins where the good part ends', async () => {
    spool.intent(row('a'));
    spool.flush();
    refusedTurn(() => spool.forget(spool.intent(row('refused'))));
    spool.intent(row('b'));
    spool.flush();
    expect(logs()).toHaveLength(2);
    expect((await recoverSpool(dir)).fault).toBeNull();
    expect((await rows()).map(([id]) => id)).toEqual(['a', 'b']);
    expect(spool.diskBytes).toBe(logs().reduce((sum, name) => sum + fs.statSync(path.join(dir, name)).size, 0));
  });

  it('KEY-6: a larger bound that the disk refused is not what is written again; a refused move changes nothing', async () => {
    const slow = spool.intent(row('slow', 'unknown', 5));
    spool.flush();
    refusedTurn(() => spool.amend(row('slow', 'unknown', 9), slow));
    const pass = (calls: number): void => {
      for (let n = 0; n < calls; n++) {
        const intent = spool.intent(row(`c${n}`));
        spool.flush();
        spool.settle(row(`c${n}`, 'settled'), intent);
        spool.flush();
      }
    };
    pass(20);
    refuses.write = true;
    spool.trim(spool.end);
    refuses.write = false;
    expect((await rows())[0]).toEqual(['slow', 'unknown', 5]);
    pass(20);
    spool.trim(spool.end);
    expect(fs.existsSync(path.join(dir, '0.log'))).toBe(false);
    expect((await recoverSpool(dir)).fault).toBeNull();
    expect((await rows()).filter(([id]) => id === 'slow')).toEqual([['slow', 'unknown', 5]]);
  });
});
