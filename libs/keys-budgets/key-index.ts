import { hash, randomBytes, type KeyObject } from 'node:crypto';
import type { FileKeyConfig } from '#libs/platform/config.js';
import { DEFAULT_ORG_ID, type RegistryDocument, type RegistryState } from '#libs/registry/index.js';
import { digestOf, isWellFormed } from './credential.js';
import type { ResolvedFileKey } from './file-key-secrets.js';
import { compileGlobs, memoised, type Matcher } from '#libs/platform/glob.js';
import { keyBody } from './key-document.js';
import type { LimitScope } from './limits/limit-scope.js';
import { OwnerIndex } from './owner-index.js';
import { problemOf } from './key-problem.js';
import { budgetsOf, limitScopesOf, ownersOf, type OwnedBudget, type OwnedKey } from './ownership.js';

/** A virtual key as the data plane knows it. Whether it has expired is for the caller to compare with the time. */
export interface KeyRecord {
  readonly id: string;
  readonly name: string;
  readonly orgId: string;
  readonly team: string | null;
  readonly user: string | null;
  readonly app: string | null;
  readonly tags: readonly string[];
  readonly expiresAtMs: number | null;
  readonly status: 'active' | 'revoked' | 'blocked';
  readonly source: 'api' | 'file';
  /** Why its calls are refused although it works, a sentence; `null`: they are not. */
  readonly problem: string | null;
  /** What its calls are charged to, the most specific first; the same list as long as the record is the same. */
  readonly budgets: readonly OwnedBudget[];
  /** What its calls count against, those of the model aside; empty: nothing. */
  readonly limits: readonly LimitScope[];
  /** Name of the fallback chain that stands behind each model it asks for; `null`: none. */
  readonly chain: string | null;
  readonly teamChain: string | null;
  /** By the model name as the caller wrote it (without `[1m]`). */
  mayUseModel(model: string): boolean;
  /** By the path of the request. */
  mayUseRoute(path: string): boolean;
}

/** All virtual keys at one moment, for look-ups without I/O. */
export interface KeyIndex {
  /** The key with exactly this text, revoked ones included; `null` when there is none. A few microseconds. */
  find(presentedKey: string): KeyRecord | null;
  readonly size: number;
}

/** Keys of the file may be as short as this, and none is longer: what is outside is not looked up. */
export const MIN_KEY_LENGTH = 20;
export const MAX_KEY_LENGTH = 256;

/** Id of a key declared in the file: its name, so that it stays the same over restarts and in all instances. */
export function fileKeyId(name: string): string {
  return `key_file_${name}`;
}

// Neither a document nor an index of owners ever changes, so neither does what is compiled from both; a new snapshot
// compiles only what is new, and that when the key is first used.
const compiled = new WeakMap<OwnerIndex, WeakMap<object, KeyRecord>>();

/** Where a digest leads. One object per secret for as long as the document or the file's entry is the same. */
type Found =
  { readonly document: RegistryDocument; readonly isPrevious: boolean } | { readonly fileKey: FileKeyConfig };

/** The digests of a key's document. */
interface Secrets {
  readonly digest: string;
  readonly current: Found;
  /** The one before the last rotation; `null` when there is none. */
  readonly previousDigest: string | null;
  readonly previous: Found;
}

const secretsOf = new WeakMap<RegistryDocument, Secrets>();
const fileFound = new WeakMap<FileKeyConfig, Found>();

function readSecrets(document: RegistryDocument): Secrets {
  const known = secretsOf.get(document);
  if (known !== undefined) return known;
  const { digest, previous } = keyBody(document);
  const secrets: Secrets = {
    digest,
    current: { document, isPrevious: false },
    previousDigest: previous?.digest ?? null,
    previous: { document, isPrevious: true },
  };
  secretsOf.set(document, secrets);
  return secrets;
}

function foundInFile(fileKey: FileKeyConfig): Found {
  let found = fileFound.get(fileKey);
  if (found === undefined) fileFound.set(fileKey, (found = { fileKey }));
  return found;
}

function recordOf(found: Found, owners: OwnerIndex): KeyRecord {
  let records = compiled.get(owners);
  if (records === undefined) compiled.set(owners, (records = new WeakMap()));
  const known = records.get(found);
  if (known !== undefined) return known;
  const record = 'document' in found ? fromDocument(found, owners) : fromFile(found.fileKey, owners);
  records.set(found, record);
  return record;
}

function fromDocument(
  { document, isPrevious }: { readonly document: RegistryDocument; readonly isPrevious: boolean },
  owners: OwnerIndex,
): KeyRecord {
  const body = keyBody(document);
  const expiresAtMs = Math.min(body.expiresAtMs ?? Infinity, isPrevious ? (body.previous?.untilMs ?? 0) : Infinity);
  return compile(
    {
      ...body,
      id: document.id,
      name: document.name,
      orgId: document.orgId,
      expiresAtMs: expiresAtMs === Infinity ? null : expiresAtMs,
      status: body.revokedAtMs !== null ? 'revoked' : body.blocked !== null ? 'blocked' : 'active',
      source: 'api',
    },
    owners,
  );
}

function fromFile(key: FileKeyConfig, owners: OwnerIndex): KeyRecord {
  return compile({ ...key, id: fileKeyId(key.name), orgId: DEFAULT_ORG_ID, status: 'active', source: 'file' }, owners);
}

type Settings = OwnedKey &
  Pick<KeyRecord, 'expiresAtMs' | 'status' | 'source'> & {
    readonly models: readonly string[];
    readonly routes: readonly string[];
    readonly chain?: string | null;
  };

function compile(key: Settings, owners: OwnerIndex): KeyRecord {
  const own = compileGlobs(key.models);
  const restrictions = ownersOf(owners, key).filter(({ models }) => !models.includes('*'));
  const mayUseModel: Matcher =
    restrictions.length === 0 ? own : (model) => own(model) && restrictions.every((owner) => owner.mayUseModel(model));
  return {
    id: key.id,
    name: key.name,
    orgId: key.orgId,
    team: key.team,
    user: key.user,
    app: key.app,
    tags: key.tags,
    expiresAtMs: key.expiresAtMs,
    status: key.status,
    source: key.source,
    problem: problemOf(owners, key),
    budgets: budgetsOf(owners, key),
    limits: limitScopesOf(owners, key),
    chain: key.chain ?? null,
    teamChain: key.team === null ? null : (owners.find(key.orgId, 'team', key.team)?.chain ?? null),
    mayUseModel: memoised(mayUseModel),
    mayUseRoute: memoised(compileGlobs(key.routes)),
  };
}

/**
 * Compiles the registry's keys, overlaid by those of the file, into an immutable look-up by digest.
 *
 * @param pepper the cluster's `key-pepper` as a secret key object
 * @param owners of the same moment; keys whose owners are unknown have a `problem`
 */
export function compileKeys(
  registry: RegistryState,
  fileKeys: readonly ResolvedFileKey[],
  pepper: KeyObject,
  owners: OwnerIndex = OwnerIndex.empty,
): KeyIndex {
  const byDigest = new Map<string, Found>();
  for (const document of registry.all('key')) {
    const secrets = readSecrets(document);
    if (secrets.previousDigest !== null) byDigest.set(secrets.previousDigest, secrets.previous);
    byDigest.set(secrets.digest, secrets.current);
  }
  for (const { key, secret } of fileKeys) byDigest.set(digestOf(pepper, secret.reveal()), foundInFile(key));
  // A hand-made key of the file may begin like ours and have no checksum: then the shortcut is off.
  const checked = fileKeys.every(({ secret }) => {
    const text = secret.reveal();
    return !text.startsWith('sk-sf-') || isWellFormed('sk-sf-', text);
  });
  // An HMAC costs four times a plain hash: keys already found are remembered by a salted hash of theirs (never as text). Only
  // valid keys are, so there are no more of them than keys.
  const found = new Map<string, KeyRecord>();
  const salt = randomBytes(32).toString('base64url');
  return {
    size: byDigest.size,
    find(presentedKey) {
      if (presentedKey.length < MIN_KEY_LENGTH || presentedKey.length > MAX_KEY_LENGTH) return null;
      const quick = hash('sha256', salt + presentedKey, 'base64url');
      const known = found.get(quick);
      if (known !== undefined) return known;
      if (checked && presentedKey.startsWith('sk-sf-') && !isWellFormed('sk-sf-', presentedKey)) return null;
      const source = byDigest.get(digestOf(pepper, presentedKey));
      if (source === undefined) return null;
      const record = recordOf(source, owners);
      found.set(quick, record);
      return record;
    },
  };
}
