import type { FileKeyConfig } from '#libs/platform/config.js';
import { DEFAULT_ORG_ID, type RegistryDocument } from '#libs/registry/index.js';
import { keyBody, KEY_DEFAULTS, type KeyBlock, type KeyCreator } from './key-document.js';
import { fileKeyId } from './key-index.js';
import { problemOf } from './key-problem.js';
import type { KeySettings } from './key-settings.js';
import type { OwnerIndex } from './owner-index.js';

/** A key as the API shows it. */
export interface KeyView extends KeySettings {
  readonly id: string;
  /** Its first characters; `null` for keys of the file. */
  readonly hint: string | null;
  readonly status: 'active' | 'expired' | 'blocked' | 'revoked';
  readonly source: 'api' | 'file';
  /** For `If-Match`; 0 for keys of the file. */
  readonly version: number;
  readonly createdAtMs: number | null;
  readonly createdBy: KeyCreator | null;
  readonly updatedAtMs: number | null;
  readonly rotatedAtMs: number | null;
  /** Until when the secret before the last rotation works; `null` when it does not. */
  readonly previousUntilMs: number | null;
  readonly blocked: KeyBlock | null;
  readonly revokedAtMs: number | null;
  /** Why its calls are refused although it works, a sentence; `null`: they are not. */
  readonly problem: string | null;
}

/** When a key was used and what it cost, as far as somebody keeps that. */
export interface KeyUse {
  readonly lastUsedAtMs: number | null;
  /** What its calls cost in all; `null` where nobody sums it up. */
  readonly spentNanos: bigint | null;
}

/** Where the use of keys is kept; asked when keys are shown, never on the way of a call. */
export interface KeyUses {
  /** Of each of the keys; rejects when the store does not answer. */
  of(orgId: string, keyIds: readonly string[]): Promise<ReadonlyMap<string, KeyUse>>;
}

/** A key of the registry. */
export function viewOfDocument(document: RegistryDocument, nowMs: number, owners: OwnerIndex): KeyView {
  const { digest: _digest, publicId, previous, ...body } = keyBody(document);
  const isExpired = body.expiresAtMs !== null && body.expiresAtMs <= nowMs;
  return {
    ...body,
    id: document.id,
    name: document.name,
    hint: `sk-sf-${publicId}`,
    status:
      body.revokedAtMs !== null ? 'revoked' : isExpired ? 'expired' : body.blocked !== null ? 'blocked' : 'active',
    source: 'api',
    version: document.version,
    createdAtMs: document.createdAtMs,
    updatedAtMs: document.updatedAtMs,
    problem: body.revokedAtMs === null ? problemOf(owners, { ...body, orgId: document.orgId }) : null,
    previousUntilMs: previous !== null && previous.untilMs > nowMs ? previous.untilMs : null,
  };
}

/** A key of the file. */
export function viewOfFileKey(key: FileKeyConfig, nowMs: number, owners: OwnerIndex): KeyView {
  const { secret: _secret, ...settings } = key;
  const isExpired = key.expiresAtMs !== null && key.expiresAtMs <= nowMs;
  return {
    ...KEY_DEFAULTS,
    ...settings,
    id: fileKeyId(key.name),
    hint: null,
    status: isExpired ? 'expired' : 'active',
    source: 'file',
    problem: problemOf(owners, { ...key, orgId: DEFAULT_ORG_ID }),
    version: 0,
    createdAtMs: null,
    updatedAtMs: null,
    previousUntilMs: null,
  };
}
