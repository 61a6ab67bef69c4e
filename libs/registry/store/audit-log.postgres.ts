import type { DataSource, EntityManager } from 'typeorm';
import { answered } from './answered.postgres.js';
import { auditText, CHAIN_START, chainHash, type AuditEntry } from './audit-record.js';

/**
 * Appends to an organisation's audit chain inside the caller's transaction. An advisory lock, held to its end, makes
 * writers take turns, so the chain has no forks.
 */
export async function appendAudit(sql: EntityManager, entry: AuditEntry, atMs: number): Promise<void> {
  await sql.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [`smartflow:audit:${entry.orgId}`]);
  const [last] = (await sql.query(`SELECT seq, hash FROM audit_log WHERE org_id = $1 ORDER BY seq DESC LIMIT 1`, [
    entry.orgId,
  ])) as { seq: string; hash: Buffer }[];
  const seq = Number(last?.seq ?? 0) + 1;
  const previous = last?.hash ?? CHAIN_START;
  const text = auditText(entry, seq, atMs);
  await sql.query(
    `INSERT INTO audit_log (org_id, seq, at, action, actor_id, object_kind, object_id, record, prev_hash, hash)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      entry.orgId,
      seq,
      new Date(atMs),
      entry.action,
      entry.origin.actor.id,
      entry.objectKind,
      entry.objectId,
      text,
      previous,
      chainHash(previous, text),
    ],
  );
}

/** An entry as it was recorded, with its place in the chain. */
export interface AuditItem {
  readonly seq: number;
  /** The recorded members: `at`, `action`, `actor`, `object`, `version`, `ip`, `userAgent`, `requestId`, `before`, `after`. */
  readonly record: Readonly<Record<string, unknown>>;
  /** Of the chain up to and including this entry, in hex. */
  readonly hash: string;
}

/** Entries of an organisation before a sequence number, newest first. */
export function readAudit(source: DataSource, orgId: string, beforeSeq: number, limit: number): Promise<AuditItem[]> {
  return answered(async () => {
    const rows = (await source.query(
      `SELECT seq, record, hash FROM audit_log WHERE org_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3`,
      [orgId, beforeSeq, limit],
    )) as Pick<AuditRow, 'seq' | 'record' | 'hash'>[];
    return rows.map((row) => ({
      seq: Number(row.seq),
      record: JSON.parse(row.record) as AuditItem['record'],
      hash: row.hash.toString('hex'),
    }));
  });
}

/** Outcome of a check of the chain. `brokenAt`: first sequence number that does not fit; `reason` says how. */
export interface AuditVerdict {
  readonly entries: number;
  readonly brokenAt: number | null;
  readonly reason: string | null;
}

interface AuditRow {
  seq: string;
  at: Date;
  action: string;
  actor_id: string;
  object_kind: string;
  object_id: string;
  record: string;
  prev_hash: Buffer;
  hash: Buffer;
}

const PAGE = 1000;

/**
 * Recomputes an organisation's chain from its first entry: finds a changed, removed, inserted or reordered row, columns that
 * contradict their record, and a registry that is newer than the last change on record (a cut-off end).
 */
export function verifyAudit(source: DataSource, orgId: string): Promise<AuditVerdict> {
  return answered(() => checkChain(source, orgId));
}

async function checkChain(source: DataSource, orgId: string): Promise<AuditVerdict> {
  const [head] = (await source.query(
    `SELECT coalesce(max(version), 0) AS version FROM registry_documents WHERE org_id = $1`,
    [orgId],
  )) as { version: string }[];
  const newest = Number(head?.version ?? 0);
  let previous: Buffer = CHAIN_START;
  let seq = 0;
  let lastVersion = 0;
  for (;;) {
    const rows = (await source.query(
      `SELECT seq, at, action, actor_id, object_kind, object_id, record, prev_hash, hash
       FROM audit_log WHERE org_id = $1 AND seq > $2 ORDER BY seq LIMIT ${PAGE}`,
      [orgId, seq],
    )) as AuditRow[];
    for (const row of rows) {
      const reason = faultOf(row, seq + 1, previous);
      if (reason !== null) return { entries: seq, brokenAt: seq + 1, reason };
      seq += 1;
      previous = row.hash;
      const { version } = JSON.parse(row.record) as { version: number | null };
      lastVersion = Math.max(lastVersion, version ?? 0);
    }
    if (rows.length < PAGE) break;
  }
  if (newest > lastVersion) {
    return { entries: seq, brokenAt: seq + 1, reason: `registry version ${newest} has no entry` };
  }
  return { entries: seq, brokenAt: null, reason: null };
}

function faultOf(row: AuditRow, expectedSeq: number, previous: Buffer): string | null {
  if (Number(row.seq) !== expectedSeq) return 'an entry is missing';
  if (!row.prev_hash.equals(previous)) return 'the entry does not follow the one before it';
  if (!row.hash.equals(chainHash(previous, row.record))) return 'the record was changed';
  const record = JSON.parse(row.record) as {
    seq: number;
    at: string;
    action: string;
    actor: { id: string };
    object: { kind: string; id: string };
  };
  const agrees =
    record.seq === expectedSeq &&
    record.at === row.at.toISOString() &&
    record.action === row.action &&
    record.actor.id === row.actor_id &&
    record.object.kind === row.object_kind &&
    record.object.id === row.object_id;
  return agrees ? null : 'a column contradicts the record';
}
