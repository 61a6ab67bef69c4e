import { hash, randomBytes, type KeyObject } from 'node:crypto';
import { DEFAULT_ORG_ID, type RegistryDocument, type RegistryState } from '#libs/registry/index.js';
import { digestOf, isWellFormed } from './credential.js';
import type { ResolvedFileKey } from './file-key-secrets.js';
import { compileGlobs, memoised } from './glob.js';
import { keyBody } from './key-document.js';

/** A virtual key as the data plane knows it. Whether it has expired is for the caller to compare with the time. */
export interface KeyRecord {
  readonly id: string;
  readonly name: string;
  readonly orgId: string;
  readonly team: string | null;
  readonly tags: readonly string[];
  readonly expiresAtMs: number | null;
  readonly status: 'active' | 'revoked' | 'blocked';
  readonly source: 'api' | 'file';
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

// A document never changes, so neither does what is compiled from it; a new snapshot recompiles only what is new.
const compiled = new WeakMap<RegistryDocument, KeyRecord>();

function fromDocument(document: RegistryDocument): KeyRecord {
  const known = compiled.get(document);
  if (known !== undefined) return known;
  const body = keyBody(document);
  const record: KeyRecord = {
    id: document.id,
    name: document.name,
    orgId: document.orgId,
    team: body.team,
    tags: body.tags,
    expiresAtMs: body.expiresAtMs,
    status: body.revokedAtMs === null ? 'active' : 'revoked',
    source: 'api',
    mayUseModel: memoised(compileGlobs(body.models)),
    mayUseRoute: memoised(compileGlobs(body.routes)),
  };
  compiled.set(document, record);
  return record;
}

function fromFile({ key }: ResolvedFileKey): KeyRecord {
  return {
    id: fileKeyId(key.name),
    name: key.name,
    orgId: DEFAULT_ORG_ID,
    team: key.team,
    tags: key.tags,
    expiresAtMs: key.expiresAtMs,
    status: 'active',
    source: 'file',
    mayUseModel: memoised(compileGlobs(key.models)),
    mayUseRoute: memoised(compileGlobs(key.routes)),
  };
}

/**
 * Compiles the registry's keys, overlaid by those of the file, into an immutable look-up by digest.
 *
 * @param pepper the cluster's `key-pepper` as a secret key object
 */
export function compileKeys(
  registry: RegistryState,
  fileKeys: readonly ResolvedFileKey[],
  pepper: KeyObject,
): KeyIndex {
  const byDigest = new Map<string, KeyRecord>();
  for (const document of registry.all('key')) byDigest.set(keyBody(document).digest, fromDocument(document));
  for (const fileKey of fileKeys) byDigest.set(digestOf(pepper, fileKey.secret.reveal()), fromFile(fileKey));
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
      const record = byDigest.get(digestOf(pepper, presentedKey)) ?? null;
      if (record !== null) found.set(quick, record);
      return record;
    },
  };
}
