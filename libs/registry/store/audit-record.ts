import { createHash } from 'node:crypto';

/** Who did something and from where. No secrets. */
export interface AuditOrigin {
  readonly actor: {
    readonly kind: 'token' | 'session' | 'loopback' | 'system' | 'anonymous';
    readonly id: string;
    readonly name: string;
  };
  /** Address of the peer; `null` for the system itself. */
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly requestId: string | null;
}

/** One entry to append; `before` and `after` are JSON without secrets, `null` where there is none. */
export interface AuditEntry {
  readonly orgId: string;
  readonly action: string;
  readonly objectKind: string;
  readonly objectId: string;
  readonly objectName: string;
  /** Registry version this change made; `null` for what changes no document (a sign-in). */
  readonly version: number | null;
  readonly before: unknown;
  readonly after: unknown;
  readonly origin: AuditOrigin;
}

/** The hash before the first entry of an organisation. */
export const CHAIN_START = Buffer.alloc(32);

/** The text an entry is hashed as: JSON with a fixed order of members. */
export function auditText(entry: AuditEntry, seq: number, atMs: number): string {
  const { origin } = entry;
  return JSON.stringify({
    seq,
    at: new Date(atMs).toISOString(),
    orgId: entry.orgId,
    action: entry.action,
    actor: { kind: origin.actor.kind, id: origin.actor.id, name: origin.actor.name },
    object: { kind: entry.objectKind, id: entry.objectId, name: entry.objectName },
    version: entry.version,
    ip: origin.ip,
    userAgent: origin.userAgent?.slice(0, 256) ?? null,
    requestId: origin.requestId,
    before: entry.before ?? null,
    after: entry.after ?? null,
  });
}

/** SHA-256 over the previous hash and the entry's text: changing or dropping one breaks every later one. */
export function chainHash(previous: Buffer, text: string): Buffer {
  return createHash('sha256').update(previous).update(text, 'utf8').digest();
}
