import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { systemClock } from '#libs/platform/clock.js';
import { newId } from '#libs/platform/ids.js';
import { Secret } from '#libs/platform/secret.js';
import {
  DEFAULT_ORG_ID,
  PostgresRegistryStore,
  type AuditOrigin,
  type DocumentKind,
  type RegistryStore,
} from '#libs/registry/index.js';
import { connectPostgres, type StoreUrls } from '#libs/stores/index.js';
import { digestOf, isWellFormed, makeCredential } from './credential.js';
import { auditKey, KEY_DEFAULTS, type KeyBody } from './key-document.js';
import { readPepper } from './peppers.js';
import { AdminLinks } from './store/admin-links.postgres.js';
import { newToken } from './token-admin.js';
import { auditToken } from './token-document.js';

/** What a first user needs to get in. */
export interface FirstCredentials {
  /** API token with the role `proxy_admin` (CFG-3). */
  readonly adminToken: Secret;
  /** A virtual key that may use everything. */
  readonly firstKey: Secret;
  /** Path of a one-time admin link, to be put behind the console's address; good for 30 minutes and one use. */
  readonly adminLinkPath: Secret;
}

interface Kept {
  readonly id: string;
  readonly secret: string;
}
type KeptFile = { readonly adminToken?: Kept; readonly firstKey?: Kept };

const FILE = 'bootstrap.json';
const SYSTEM: AuditOrigin = {
  actor: { kind: 'system', id: '', name: 'bootstrap' },
  ip: null,
  userAgent: null,
  requestId: null,
};

/**
 * Makes sure that an admin token and a first virtual key exist and can be used, and makes a one-time admin link. The two
 * secrets are kept in `bootstrap.json` (0600) in the data folder: who can read that folder owns the instance anyway. What
 * was revoked or is unknown to the stores is made anew. Instances on the same stores each have their own pair, so they may
 * run this at the same time; two on one data folder must not (the supervisor's lock sees to it).
 *
 * @param options.urls of the migrated stores; only PostgreSQL is used
 */
export async function bootstrap(options: {
  readonly urls: StoreUrls;
  readonly dataDir: string;
}): Promise<FirstCredentials> {
  const postgres = await connectPostgres(options.urls.postgres, {
    poolSize: 1,
    applicationName: 'smartflow-bootstrap',
  });
  try {
    const store = new PostgresRegistryStore(postgres);
    const [tokenPepper, keyPepper, linkPepper] = [
      await readPepper(postgres, 'token'),
      await readPepper(postgres, 'key'),
      await readPepper(postgres, 'link'),
    ];
    const file = path.join(options.dataDir, FILE);
    const kept = read(file);
    const isGood = (kind: DocumentKind, one: Kept | undefined, pepper: typeof keyPepper): Promise<boolean> =>
      one === undefined ? Promise.resolve(false) : isUsable(store, kind, one, digestOf(pepper, one.secret));
    const adminToken = (await isGood('api_token', kept.adminToken, tokenPepper))
      ? (kept.adminToken as Kept)
      : await makeToken(store, tokenPepper);
    const firstKey = (await isGood('key', kept.firstKey, keyPepper))
      ? (kept.firstKey as Kept)
      : await makeKey(store, keyPepper);
    if (adminToken !== kept.adminToken || firstKey !== kept.firstKey) write(file, { adminToken, firstKey });
    const link = await new AdminLinks(postgres, linkPepper, systemClock).make(DEFAULT_ORG_ID);
    return {
      adminToken: new Secret(adminToken.secret),
      firstKey: new Secret(firstKey.secret),
      adminLinkPath: new Secret(`/auth/link/${link.reveal()}`),
    };
  } finally {
    await postgres.destroy();
  }
}

async function isUsable(store: RegistryStore, kind: DocumentKind, kept: Kept, digest: string): Promise<boolean> {
  const document = await store.get({ orgId: DEFAULT_ORG_ID, kind, id: kept.id });
  if (document === null || document.body['digest'] !== digest || document.body['revokedAtMs'] !== null) return false;
  const expiresAtMs = document.body['expiresAtMs'] as number | null;
  return expiresAtMs === null || expiresAtMs > Date.now();
}

async function makeToken(store: RegistryStore, pepper: Parameters<typeof digestOf>[0]): Promise<Kept> {
  const { secret, body } = newToken(pepper, 'proxy_admin', null);
  const ref = { orgId: DEFAULT_ORG_ID, kind: 'api_token', id: newId('tok') } as const;
  await store.create(ref, { name: 'bootstrap', body }, { action: 'token.create', origin: SYSTEM, view: auditToken });
  return { id: ref.id, secret: secret.reveal() };
}

async function makeKey(store: RegistryStore, pepper: Parameters<typeof digestOf>[0]): Promise<Kept> {
  const { secret, publicId } = makeCredential('sk-sf-');
  const body: KeyBody = {
    publicId,
    digest: digestOf(pepper, secret.reveal()),
    ...KEY_DEFAULTS,
  };
  const ref = { orgId: DEFAULT_ORG_ID, kind: 'key', id: newId('key') } as const;
  await store.create(ref, { name: 'first-key', body }, { action: 'key.create', origin: SYSTEM, view: auditKey });
  return { id: ref.id, secret: secret.reveal() };
}

/** A file that is absent or unreadable as JSON counts as empty: new credentials are made, nobody is locked out. */
function read(file: string): KeptFile {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  const { adminToken, firstKey } = (content ?? {}) as Record<string, unknown>;
  return {
    ...(isKept(adminToken, 'sf_admin_') ? { adminToken } : {}),
    ...(isKept(firstKey, 'sk-sf-') ? { firstKey } : {}),
  };
}

function isKept(value: unknown, prefix: 'sf_admin_' | 'sk-sf-'): value is Kept {
  const { id, secret } = (value ?? {}) as { id?: unknown; secret?: unknown };
  return typeof id === 'string' && typeof secret === 'string' && isWellFormed(prefix, secret);
}

function write(file: string, content: KeptFile): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600, flush: true });
  chmodSync(`${file}.new`, 0o600); // a leftover keeps its mode otherwise
  renameSync(`${file}.new`, file);
}
