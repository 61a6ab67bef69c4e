import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { Secret } from '#libs/platform/secret.js';

/** The roles of an embedded server. */
export const ROLES = {
  /** Made by initdb, superuser: only for maintenance by the launcher. */
  admin: 'smartflow_admin',
  /** Owns database and schema: migrations, partitions. No superuser. */
  owner: 'smartflow_owner',
  /** What the gateway runs as: NOSUPERUSER NOBYPASSRLS, reads and writes rows only. */
  app: 'smartflow_app',
} as const;

export type RoleName = keyof typeof ROLES;
export type Credentials = Readonly<Record<RoleName, Secret>>;

export const DATABASE = 'smartflow';

/** Passwords of an embedded server, from a 0600 file made (and flushed to disk) before the server's data. */
export function loadCredentials(file: string, dataExists: boolean): Credentials {
  if (!existsSync(file)) {
    if (dataExists)
      throw new Error(`${file} is missing: without it the embedded PostgreSQL beside it cannot be opened`);
    const fresh = { admin: newPassword(), owner: newPassword(), app: newPassword() };
    writeDurably(file, JSON.stringify(fresh));
  }
  const stored = readStored(file);
  return { admin: new Secret(stored.admin), owner: new Secret(stored.owner), app: new Secret(stored.app) };
}

/** Connection URL of a role. */
export function urlOf(role: RoleName, credentials: Credentials, port: number, database: string = DATABASE): Secret {
  return new Secret(`postgres://${ROLES[role]}:${credentials[role].reveal()}@127.0.0.1:${port}/${database}`);
}

function newPassword(): string {
  return randomBytes(24).toString('base64url'); // needs no escaping in a URL
}

function readStored(file: string): Record<RoleName, string> {
  try {
    const stored = JSON.parse(readFileSync(file, 'utf8')) as Record<RoleName, unknown>;
    const { admin, owner, app } = stored;
    if (typeof admin === 'string' && typeof owner === 'string' && typeof app === 'string') return { admin, owner, app };
  } catch {
    // said below, without quoting the file
  }
  throw new Error(`${file} is damaged: without it the embedded PostgreSQL beside it cannot be opened`);
}

function writeDurably(file: string, text: string): void {
  const descriptor = openSync(`${file}.new`, 'w', 0o600);
  writeSync(descriptor, text);
  fsyncSync(descriptor);
  closeSync(descriptor);
  renameSync(`${file}.new`, file);
}
