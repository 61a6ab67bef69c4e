import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';

/** A folder that this process owns until `release()` or its end. */
export interface FolderLock {
  release(): void;
}

/** Another living process owns the folder. */
export class FolderInUseError extends Error {
  readonly pid: number | null;
  constructor(folder: string, pid: number | null) {
    super(
      `${folder} is in use by ${pid === null ? 'another process' : `process ${pid}`}: stop it, or use another folder`,
    );
    this.name = 'FolderInUseError';
    this.pid = pid;
  }
}

const SQLITE_BUSY = 5;
const SQLITE_CANTOPEN = 14;
/** Keeps open locks reachable: a collected database object would let go of its lock. */
const held = new Set<DatabaseSync>();

/**
 * Makes this process the only owner of a folder (created when missing), or rejects with {@link FolderInUseError} after
 * `waitMs`. The lock is one of the kernel's, held through SQLite on the file `.lock`: it ends with its process however
 * that ends, so there is nothing stale to take over and no pid to mistake. `.lock.pid` only serves the message.
 */
export async function lockFolder(folder: string, waitMs: number): Promise<FolderLock> {
  explainRefusal(folder, () => mkdirSync(folder, { recursive: true, mode: 0o700 }));
  const pidFile = path.join(folder, '.lock.pid');
  const giveUpAt = performance.now() + waitMs;
  for (;;) {
    const database = explainRefusal(folder, () => tryLock(path.join(folder, '.lock')));
    if (database !== null) {
      held.add(database);
      try {
        explainRefusal(folder, () => notePid(pidFile));
      } catch (error) {
        release(database, pidFile);
        throw error;
      }
      return { release: () => release(database, pidFile) };
    }
    if (performance.now() >= giveUpAt) throw new FolderInUseError(folder, readPid(pidFile));
    await sleep(50);
  }
}

function tryLock(file: string): DatabaseSync | null {
  let database: DatabaseSync | null = null;
  try {
    // Nobody else may open it: a reader could hold a lock of its own. Only made when missing, since to close a locked file
    // anywhere in a process lets go of the process's lock.
    if (!existsSync(file)) writeFileSync(file, '', { mode: 0o600 });
    database = new DatabaseSync(file, { timeout: 0 });
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE'); // nothing is ever written: the file stays empty
    return database;
  } catch (error) {
    database?.close();
    const { errcode } = error as { errcode?: number };
    if (errcode === SQLITE_BUSY) return null;
    if (errcode === SQLITE_CANTOPEN) throw Object.assign(new Error('cannot be opened'), { code: 'EACCES' });
    throw error;
  }
}

/** The usual reason is a data folder made by another account, by a start as root say. */
function explainRefusal<T>(folder: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const hint =
      code === 'EACCES' || code === 'EPERM' ? '; start as the account that made it, or use another folder' : '';
    throw new Error(`${folder} cannot be locked (${message})${hint}`, { cause: error });
  }
}

function release(database: DatabaseSync, pidFile: string): void {
  if (!database.isOpen) return;
  rmSync(pidFile, { force: true });
  held.delete(database);
  database.close();
}

function notePid(file: string): void {
  writeFileSync(`${file}.new`, `${process.pid}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function readPid(file: string): number | null {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : null;
  } catch {
    return null;
  }
}
