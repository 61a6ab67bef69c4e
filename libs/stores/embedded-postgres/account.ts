import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';

/** The account a server runs as. PostgreSQL refuses root. */
export interface ServerAccount {
  readonly uid: number;
  readonly gid: number;
  readonly name: string;
}

/**
 * The account for the server: `null` (our own) unless we are root. Root borrows the account that owns an existing data
 * folder, else `postgres`, else `nobody`; an account is never created.
 */
export function serverAccount(dataFolder: string): ServerAccount | null {
  if (process.getuid?.() !== 0) return null;
  const accounts = readAccounts();
  const owner = ownerOf(dataFolder);
  if (owner !== null && owner.uid !== 0) {
    return accounts.find((account) => account.uid === owner.uid) ?? { ...owner, name: `user ${owner.uid}` };
  }
  const account =
    accounts.find((entry) => entry.name === 'postgres') ?? accounts.find((entry) => entry.name === 'nobody');
  if (account === undefined) {
    throw new Error(
      'PostgreSQL cannot run as root, and there is neither an account "postgres" nor "nobody": ' +
        'start as an ordinary user, or set stores.postgres to a server of your own',
    );
  }
  return account;
}

/** True when the account may enter the folder through all of its parents. */
export function canEnter(folder: string, account: ServerAccount | null): boolean {
  if (account === null) return true;
  const { status } = spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], {
    ...ids(account),
    cwd: '/',
    timeout: 5000,
  });
  return status === 0;
}

/** The part of spawn options that switches to the account. */
export function ids(account: ServerAccount | null): { uid?: number; gid?: number } {
  return account === null ? {} : { uid: account.uid, gid: account.gid };
}

function readAccounts(): ServerAccount[] {
  return readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length > 3)
    .map((fields) => ({ name: fields[0] as string, uid: Number(fields[2]), gid: Number(fields[3]) }));
}

function ownerOf(folder: string): { uid: number; gid: number } | null {
  try {
    const { uid, gid } = statSync(folder);
    return { uid, gid };
  } catch {
    return null;
  }
}
