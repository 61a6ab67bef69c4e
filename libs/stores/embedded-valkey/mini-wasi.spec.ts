import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EngineExit, miniWasi } from './mini-wasi.js';

const OK = 0;
const BADF = 8;
const LOOP = 32;
const NOENT = 44;

describe('the WASI shim', () => {
  let folder: string;
  let memory: { buffer: ArrayBuffer };
  let wasi: Record<string, (...args: unknown[]) => number>;
  let printed: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'sf wasi '));
    memory = { buffer: new ArrayBuffer(65_536) };
    printed = '';
    wasi = miniWasi(
      path.join(folder),
      () => memory,
      (text) => (printed += text),
    ) as unknown as typeof wasi;
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const view = (): DataView => new DataView(memory.buffer);
  const put = (text: string, at = 1000): [number, number] => [at, Buffer.from(memory.buffer).write(text, at)];
  const call = (name: string, ...args: unknown[]): number => (wasi[name] as (...rest: unknown[]) => number)(...args);
  /** Opens and answers error number and descriptor. */
  const open = (name: string, flags = 0, rights = 2n): [number, number] => {
    const errno = call('path_open', 3, 0, ...put(name), flags, rights, 0n, 0, 16);
    return [errno, view().getUint32(16, true)];
  };
  const vector = (text: string): [number, number] => {
    const [at, length] = put(text, 2000);
    view().setUint32(64, at, true);
    view().setUint32(68, length, true);
    return [64, 1];
  };

  it('OPS-1: writes, seeks and reads files of its folder', () => {
    const [errno, fd] = open('/dump.rdb', 1, 2n | 64n);
    expect(errno).toBe(OK);
    expect(call('fd_write', fd, ...vector('snapshot'), 32)).toBe(OK);
    expect(view().getUint32(32, true)).toBe(8);
    expect(call('fd_seek', fd, 4n, 0, 40)).toBe(OK);
    expect(call('fd_read', fd, ...vector('........'), 32)).toBe(OK);
    expect(Buffer.from(memory.buffer, 2000, view().getUint32(32, true)).toString()).toBe('shot');
    expect([call('fd_sync', fd), call('fd_close', fd), call('fd_close', fd)]).toEqual([OK, OK, BADF]);
    expect(readFileSync(path.join(folder, 'dump.rdb'), 'utf8')).toBe('snapshot');
  });

  it('OPS-1: nothing outside the folder can be reached, by name or by link', () => {
    const outside = `${folder}-outside`;
    writeFileSync(outside, 'secret');
    symlinkSync(outside, path.join(folder, 'link'));
    symlinkSync(os.tmpdir(), path.join(folder, 'folder-link'));
    expect(open('/link')[0]).toBe(LOOP);
    expect(open(`/folder-link/${path.basename(outside)}`)[0]).toBe(LOOP);
    expect(open(`../${path.basename(outside)}`)[0]).toBe(NOENT); // the folder is the guest's root
    expect(call('path_unlink_file', 3, ...put('/link'))).toBe(LOOP);
    expect(existsSync(outside)).toBe(true);
    rmSync(outside);
  });

  it('OPS-1: lists its folder', () => {
    writeFileSync(path.join(folder, 'one'), '');
    writeFileSync(path.join(folder, 'three'), '');
    expect(call('fd_readdir', 3, 3000, 1000, 0n, 32)).toBe(OK);
    const used = view().getUint32(32, true);
    expect(used).toBe(2 * 24 + 3 + 5);
    expect(Buffer.from(memory.buffer, 3000, used).toString('latin1')).toMatch(/one.*three/s);
    expect(call('fd_readdir', 3, 3000, 1000, 1n, 32)).toBe(OK);
    expect(view().getUint32(32, true)).toBe(24 + 5);
  });

  it('OPS-1: survives growing memory, gives random bytes and whole milliseconds, passes on output', () => {
    memory.buffer = new ArrayBuffer(131_072);
    expect(call('random_get', 70_000, 16)).toBe(OK);
    expect(Buffer.from(memory.buffer, 70_000, 16).equals(Buffer.alloc(16))).toBe(false);
    expect(call('clock_time_get', 0, 0n, 8)).toBe(OK);
    expect(view().getBigUint64(8, true) % 1_000_000n).toBe(0n);
    call('fd_write', 2, ...vector('a line\n'), 32);
    expect(printed).toBe('a line\n');
  });

  it('OPS-3: the end of the engine is an exception, not the end of the process', () => {
    expect(() => call('proc_exit', 1)).toThrow(EngineExit);
  });
});
