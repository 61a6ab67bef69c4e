import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FolderInUseError, lockFolder } from './folder-lock.js';

describe('folder lock', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'sf lock '));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('CFG-2: has one owner at a time, who is named to others', async () => {
    const lock = await lockFolder(folder, 0);
    await expect(lockFolder(folder, 0)).rejects.toThrow(FolderInUseError);
    await expect(lockFolder(folder, 0)).rejects.toMatchObject({ pid: process.pid });
    lock.release();
    lock.release();
    (await lockFolder(folder, 0)).release();
  });

  it('CFG-2: waits for an owner that is about to let go', async () => {
    const lock = await lockFolder(folder, 0);
    setTimeout(() => lock.release(), 120);
    (await lockFolder(folder, 5000)).release();
  });

  it('OPS-3: of many takers of a killed owner exactly one gets it, whatever its files say', async () => {
    const script = `const { DatabaseSync } = require('node:sqlite');
      new DatabaseSync(process.argv[1]).exec('BEGIN EXCLUSIVE'); process.kill(process.pid, 'SIGKILL');`;
    spawnSync(process.execPath, ['-e', script, path.join(folder, '.lock')]);
    writeFileSync(path.join(folder, '.lock.pid'), '1\n'); // a pid that lives: reused
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder, 0)));
    const got = results.filter((result) => result.status === 'fulfilled');
    expect(got).toHaveLength(1);
    got.forEach(({ value }) => value.release());
  });

  it('OPS-1: says which folder cannot be written', async () => {
    const file = path.join(folder, 'file');
    writeFileSync(file, '');
    await expect(lockFolder(path.join(file, 'below'), 0)).rejects.toThrow('ENOTDIR');
  });
});
