import { randomFillSync } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { WasmMemory } from './web-assembly.js';

/** Error numbers of WASI preview1. */
const E = {
  OK: 0,
  BADF: 8,
  EXIST: 20,
  INVAL: 28,
  IO: 29,
  LOOP: 32,
  NOENT: 44,
  NOSPC: 51,
  NOSYS: 52,
  NOTDIR: 54,
  PERM: 63,
};
const ERRNO: Readonly<Record<string, number>> = {
  EBADF: E.BADF,
  ENOENT: E.NOENT,
  EEXIST: E.EXIST,
  ENOTDIR: E.NOTDIR,
  ELOOP: E.LOOP,
  ENOSPC: E.NOSPC,
  EPERM: E.PERM,
  EACCES: E.PERM,
};
/** Descriptor of the one folder the engine sees; 0 to 2 are the standard streams. */
const ROOT_FD = 3;

/** Thrown when the engine ends itself (damaged data file, out of memory): the instance cannot be used any more. */
export class EngineExit extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`the Valkey engine ended itself with code ${code}`);
    this.name = 'EngineExit';
    this.code = code;
  }
}

interface OpenFile {
  readonly fd: number;
  readonly append: boolean;
  pos: number;
}

type Imports = Record<string, (...args: never[]) => number>;
type Call = (...args: never[]) => number | void;

/**
 * The part of WASI preview1 that valkey.wasm imports, over node:fs and confined to one folder (symbolic links are
 * refused). Written because node:wasi kills the process on some Node versions once the module's memory has grown;
 * this one reads `memory.buffer` anew on every call.
 *
 * @param root folder that the engine sees as `/`
 * @param memory the instance's memory, asked for at each call
 * @param log receives what the engine prints
 */
export function miniWasi(root: string, memory: () => WasmMemory, log: (text: string) => void): Imports {
  const view = (): DataView => new DataView(memory().buffer);
  const bytes = (at: number, length: number): Buffer => Buffer.from(memory().buffer, at, length);
  const files = new Map<number, OpenFile>();
  const calls: Record<string, Call> = {
    ...systemCalls(view, bytes),
    ...descriptorCalls(root, files, view, bytes, log),
    ...pathCalls(root, files, view, bytes),
  };
  const wrapped = Object.entries(calls).map(([name, call]) => [name, answerErrors(call)] as const);
  return Object.fromEntries([
    ...wrapped,
    [
      'proc_exit',
      (code: number): never => {
        throw new EngineExit(code);
      },
    ],
  ]) as Imports;
}

/** A thrown file system error becomes its WASI number, no result becomes success. */
function answerErrors(call: Call): (...args: never[]) => number {
  return (...args) => {
    try {
      return call(...args) ?? E.OK;
    } catch (error) {
      return ERRNO[(error as NodeJS.ErrnoException).code ?? ''] ?? E.IO;
    }
  };
}

function systemCalls(view: () => DataView, bytes: (at: number, length: number) => Buffer): Record<string, Call> {
  return {
    environ_sizes_get: (count: number, size: number) => {
      view().setUint32(count, 0, true);
      view().setUint32(size, 0, true);
    },
    environ_get: () => E.OK,
    sched_yield: () => E.OK,
    poll_oneoff: () => E.NOSYS,
    sock_shutdown: () => E.NOSYS,
    fd_renumber: () => E.NOSYS,
    random_get: (at: number, length: number) => void randomFillSync(bytes(at, length)),
    clock_time_get: (id: number, _precision: bigint, out: number) => {
      // Whole milliseconds: a finer part from another clock would make the engine's TIME run backwards.
      view().setBigUint64(out, id === 0 ? BigInt(Date.now()) * 1_000_000n : process.hrtime.bigint(), true);
    },
  };
}

/** Runs `step` over the buffers of an iovec list until one is not filled; answers the bytes moved. */
function overBuffers(
  view: DataView,
  list: number,
  count: number,
  step: (at: number, length: number) => number,
): number {
  let total = 0;
  for (let i = 0; i < count; i++) {
    const length = view.getUint32(list + 8 * i + 4, true);
    const moved = step(view.getUint32(list + 8 * i, true), length);
    total += moved;
    if (moved < length) break;
  }
  return total;
}

function writeStat(view: DataView, out: number, stat: fs.Stats): void {
  view.setBigUint64(out, BigInt(stat.dev), true);
  view.setBigUint64(out + 8, BigInt(stat.ino), true);
  view.setUint8(out + 16, stat.isDirectory() ? 3 : 4);
  view.setBigUint64(out + 24, 1n, true);
  view.setBigUint64(out + 32, BigInt(stat.size), true);
  for (const [i, ms] of [stat.atimeMs, stat.mtimeMs, stat.ctimeMs].entries()) {
    view.setBigUint64(out + 40 + 8 * i, BigInt(Math.round(ms)) * 1_000_000n, true);
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function descriptorCalls(
  root: string,
  files: Map<number, OpenFile>,
  view: () => DataView,
  bytes: (at: number, length: number) => Buffer,
  log: (text: string) => void,
): Record<string, Call> {
  const open = (fd: number): OpenFile => {
    const file = files.get(fd);
    if (file === undefined) throw failure('EBADF');
    return file;
  };
  return {
    fd_prestat_get: (fd: number, out: number) => {
      if (fd !== ROOT_FD) return E.BADF;
      view().setUint32(out, 0, true);
      view().setUint32(out + 4, 1, true);
      return E.OK;
    },
    fd_prestat_dir_name: (fd: number, at: number) => {
      if (fd !== ROOT_FD) return E.BADF;
      bytes(at, 1).write('/');
      return E.OK;
    },
    fd_fdstat_get: (fd: number, out: number) => {
      bytes(out, 24).fill(0);
      view().setUint8(out, fd < ROOT_FD ? 2 : fd === ROOT_FD ? 3 : 4);
      view().setBigUint64(out + 8, 0x1fffffffn, true);
      view().setBigUint64(out + 16, 0x1fffffffn, true);
    },
    fd_fdstat_set_flags: () => E.OK,
    fd_filestat_get: (fd: number, out: number) =>
      writeStat(view(), out, fd === ROOT_FD ? fs.statSync(root) : fs.fstatSync(open(fd).fd)),
    fd_filestat_set_size: (fd: number, size: bigint) => fs.ftruncateSync(open(fd).fd, Number(size)),
    fd_write: (fd: number, list: number, count: number, out: number) => {
      const total = overBuffers(view(), list, count, (at, length) => {
        if (fd < ROOT_FD) {
          log(bytes(at, length).toString());
          return length;
        }
        const file = open(fd);
        const written = fs.writeSync(file.fd, bytes(at, length), 0, length, file.append ? null : file.pos);
        file.pos += written;
        return written;
      });
      view().setUint32(out, total, true);
    },
    fd_read: (fd: number, list: number, count: number, out: number) => {
      const file = open(fd);
      const total = overBuffers(view(), list, count, (at, length) => {
        const read = fs.readSync(file.fd, bytes(at, length), 0, length, file.pos);
        file.pos += read;
        return read;
      });
      view().setUint32(out, total, true);
    },
    fd_pread: (fd: number, list: number, count: number, offset: bigint, out: number) => {
      let at = Number(offset);
      const total = overBuffers(view(), list, count, (to, length) => {
        const read = fs.readSync(open(fd).fd, bytes(to, length), 0, length, at);
        at += read;
        return read;
      });
      view().setUint32(out, total, true);
    },
    fd_seek: (fd: number, offset: bigint, whence: number, out: number) => {
      const file = open(fd);
      const from = whence === 0 ? 0 : whence === 1 ? file.pos : fs.fstatSync(file.fd).size;
      if (from + Number(offset) < 0) return E.INVAL;
      file.pos = from + Number(offset);
      view().setBigUint64(out, BigInt(file.pos), true);
      return E.OK;
    },
    fd_sync: (fd: number) => fs.fsyncSync(open(fd).fd),
    fd_close: (fd: number) => {
      if (fd <= ROOT_FD) return;
      fs.closeSync(open(fd).fd);
      files.delete(fd);
    },
    fd_readdir: (fd: number, at: number, length: number, cookie: bigint, out: number) => {
      if (fd !== ROOT_FD) return E.BADF;
      view().setUint32(out, listFolder(root, bytes(at, length), Number(cookie)), true);
      return E.OK;
    },
  };
}

/** Directory entries from number `from` on: next cookie, inode, name length, type, name. Cut where the buffer ends. */
function listFolder(root: string, buffer: Buffer, from: number): number {
  let at = 0;
  for (const [i, entry] of fs.readdirSync(root, { withFileTypes: true }).entries()) {
    if (i < from || at === buffer.length) continue;
    const name = Buffer.from(entry.name);
    const record = Buffer.alloc(24 + name.length);
    record.writeBigUInt64LE(BigInt(i + 1), 0);
    record.writeUInt32LE(name.length, 16);
    record.writeUInt8(entry.isDirectory() ? 3 : 4, 20);
    name.copy(record, 24);
    at += record.copy(buffer, at);
  }
  return at;
}

function pathCalls(
  root: string,
  files: Map<number, OpenFile>,
  view: () => DataView,
  bytes: (at: number, length: number) => Buffer,
): Record<string, Call> {
  let nextFd = 10;
  /** The host path of a guest path. What leads out of the root, by name or by link, is refused. */
  const inside = (at: number, length: number): string => {
    const file = path.resolve(root, `.${path.posix.resolve('/', bytes(at, length).toString())}`);
    for (let step = file; step !== root; step = path.dirname(step)) {
      if (step === path.dirname(step)) throw failure('EPERM');
      if (fs.lstatSync(step, { throwIfNoEntry: false })?.isSymbolicLink() === true) throw failure('ELOOP');
    }
    return file;
  };
  return {
    path_open: (
      _dir: number,
      _lookup: number,
      at: number,
      length: number,
      openFlags: number,
      rights: bigint,
      _inherited: bigint,
      fdFlags: number,
      out: number,
    ) => {
      const { O_RDWR, O_WRONLY, O_RDONLY, O_CREAT, O_EXCL, O_TRUNC, O_APPEND } = fs.constants;
      const write = (rights & 64n) !== 0n;
      const read = (rights & 2n) !== 0n;
      let flags = write ? (read ? O_RDWR : O_WRONLY) : O_RDONLY;
      if (openFlags & 1) flags |= O_CREAT;
      if (openFlags & 4) flags |= O_EXCL;
      if (openFlags & 8) flags |= O_TRUNC;
      const append = (fdFlags & 1) !== 0;
      if (append) flags |= O_APPEND;
      files.set(nextFd, { fd: fs.openSync(inside(at, length), flags, 0o600), pos: 0, append });
      view().setUint32(out, nextFd++, true);
    },
    path_create_directory: (_dir: number, at: number, length: number) => fs.mkdirSync(inside(at, length)),
    path_filestat_get: (_dir: number, _flags: number, at: number, length: number, out: number) =>
      writeStat(view(), out, fs.statSync(inside(at, length))),
    path_rename: (_dir: number, at: number, length: number, _to: number, toAt: number, toLength: number) =>
      fs.renameSync(inside(at, length), inside(toAt, toLength)),
    path_unlink_file: (_dir: number, at: number, length: number) => fs.unlinkSync(inside(at, length)),
  };
}
