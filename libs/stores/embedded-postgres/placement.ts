import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { canEnter, serverAccount, type ServerAccount } from './account.js';

/** Where a server's files lie and who runs it. All paths are real paths. */
export interface Placement {
  /** What we alone read and write: lock, credentials, server log. */
  readonly folder: string;
  /** Parent of the data folder and of copied binaries; the server's account can enter it. Usually `folder`. */
  readonly home: string;
  readonly data: string;
  readonly account: ServerAccount | null;
}

/** Names the place the data moved to, when the server's account cannot reach `folder`. */
const POINTER = 'location';
const STATE_FOLDER = process.platform === 'linux' ? '/var/lib/smartflow' : '/usr/local/var/smartflow';

/**
 * Decides where the data lies. For root the server runs under another account, which must be able to pass every parent:
 * - `folder` and its parent (the product's own data folder) get the right to pass for all (mode 0711, no listing),
 *   unless that is root's home itself;
 * - if something above them is closed (root's own home, say), the data goes below the system's state folder, and a file
 *   `location` in `folder` says where, for us and for the administrator.
 */
export function placeServer(folder: string): Placement {
  const real = realpathSync(folder);
  const pointer = path.join(real, POINTER);
  if (existsSync(pointer)) {
    const home = readFileSync(pointer, 'utf8').trim();
    if (!existsSync(home)) throw new Error(`the PostgreSQL data of ${real} should be in ${home}, which does not exist`);
    return inHome(real, home);
  }
  const here = inHome(real, real);
  if (here.account === null) return here;
  const product = path.dirname(real);
  if (product !== os.homedir() && canEnter(path.dirname(product), here.account)) {
    letPass(product);
    letPass(real);
  }
  if (canEnter(real, here.account)) return here;
  const home = path.join(STATE_FOLDER, createHash('sha256').update(real).digest('hex').slice(0, 16));
  for (const made of [STATE_FOLDER, home]) {
    mkdirSync(made, { recursive: true });
    chmodSync(made, 0o711);
  }
  const moved = inHome(real, home);
  if (!canEnter(home, moved.account)) {
    throw new Error(`the account ${moved.account?.name} can enter neither ${real} nor ${home}: use another data_dir`);
  }
  writeFileSync(pointer, `${home}\n`, { mode: 0o600 });
  return moved;
}

/** Gives a folder that root makes for the server to the server's account. */
export function giveTo(account: ServerAccount | null, file: string): void {
  if (account !== null) chownSync(file, account.uid, account.gid);
}

function inHome(folder: string, home: string): Placement {
  const data = path.join(home, 'data');
  return { folder, home, data, account: serverAccount(data) };
}

function letPass(folder: string): void {
  const { mode, uid } = statSync(folder);
  if (uid === 0 && (mode & 0o011) !== 0o011) chmodSync(folder, (mode & 0o7777) | 0o011);
}
