import type { KeyObject } from 'node:crypto';
import { AppError } from '#libs/platform/errors.js';
import { newId } from '#libs/platform/ids.js';
import type { Secret } from '#libs/platform/secret.js';
import type {
  AuditedChange,
  AuditOrigin,
  DocumentChange,
  DocumentContent,
  RegistryDocument,
} from '#libs/registry/index.js';
import { digestOf, makeCredential } from './credential.js';
import { auditKey, KEY_DEFAULTS, keyBody, type KeyBody } from './key-document.js';
import type { KeySettings } from './key-settings.js';

// The changes of a key's document, each as the registry takes it: rules, no I/O.

/** A new key and its secret, which is nowhere else. */
export function creation(
  orgId: string,
  settings: KeySettings,
  pepper: KeyObject,
  origin: AuditOrigin,
): { readonly change: DocumentChange; readonly secret: Secret } {
  const { secret, publicId } = makeCredential('sk-sf-');
  const { name, ...rest } = settings;
  const { kind, id, name: creator } = origin.actor;
  const body: KeyBody = {
    ...KEY_DEFAULTS,
    ...rest,
    publicId,
    digest: digestOf(pepper, secret.reveal()),
    createdBy: { kind, id, name: creator },
  };
  const ref = { orgId, kind: 'key', id: newId('key') } as const;
  return { change: { op: 'create', ref, content: { name, body }, audit: audited('key.create', origin) }, secret };
}

export interface KeyChange {
  readonly orgId: string;
  readonly id: string;
  readonly expectedVersion: number | null;
  readonly origin: AuditOrigin;
}

export function update(key: KeyChange, changes: Partial<KeySettings>): DocumentChange {
  return changeOf(key, 'key.update', (document, body) => {
    refuseRevoked(body);
    const { name = document.name, ...rest } = changes;
    return { name, body: { ...body, ...rest } };
  });
}

/** Ends a key for good; nothing changes when it is ended already. */
export function revocation(key: KeyChange, nowMs: number): DocumentChange {
  return changeOf(key, 'key.revoke', (document, body) =>
    body.revokedAtMs !== null
      ? document
      : { name: document.name, body: { ...body, revokedAtMs: nowMs, previous: null } },
  );
}

/** Stops a key until it is unblocked; nothing changes when it is blocked already. */
export function block(key: KeyChange, reason: string | null, nowMs: number): DocumentChange {
  return changeOf(key, 'key.block', (document, body) => {
    refuseRevoked(body);
    if (body.blocked !== null) return document;
    return { name: document.name, body: { ...body, blocked: { atMs: nowMs, reason } } };
  });
}

export function unblock(key: KeyChange): DocumentChange {
  return changeOf(key, 'key.unblock', (document, body) => {
    refuseRevoked(body);
    if (body.blocked === null) return document;
    return { name: document.name, body: { ...body, blocked: null } };
  });
}

/** A new secret; the one before works for `graceMs` longer, the one before that no more. */
export function rotation(
  key: KeyChange,
  { graceMs, nowMs, pepper }: { readonly graceMs: number; readonly nowMs: number; readonly pepper: KeyObject },
): { readonly change: DocumentChange; readonly secret: Secret } {
  const { secret, publicId } = makeCredential('sk-sf-');
  const change = changeOf(key, 'key.rotate', (document, body) => {
    refuseRevoked(body);
    const previous = graceMs === 0 ? null : { publicId: body.publicId, digest: body.digest, untilMs: nowMs + graceMs };
    const next = { publicId, digest: digestOf(pepper, secret.reveal()), previous, rotatedAtMs: nowMs };
    return { name: document.name, body: { ...body, ...next } };
  });
  return { change, secret };
}

function changeOf(
  { orgId, id, expectedVersion, origin }: KeyChange,
  action: string,
  decide: (document: RegistryDocument, body: KeyBody) => DocumentContent,
): DocumentChange {
  return {
    op: 'update',
    ref: { orgId, kind: 'key', id },
    expectedVersion,
    decide: (document) => decide(document, keyBody(document)),
    audit: audited(action, origin),
  };
}

function refuseRevoked(body: KeyBody): void {
  if (body.revokedAtMs !== null) throw new AppError('conflict', { text: 'The key is revoked.' });
}

function audited(action: string, origin: AuditOrigin): AuditedChange {
  return { action, origin, view: auditKey };
}
