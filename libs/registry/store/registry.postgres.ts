import type { DataSource, EntityManager } from 'typeorm';
import { AppError } from '#libs/platform/errors.js';
import { systemClock, type Clock } from '#libs/platform/clock.js';
import type {
  DocumentBody,
  DocumentKind,
  DocumentRef,
  RegistryDelta,
  RegistryDocument,
  RegistryHead,
} from '../document.js';
import { answered } from './answered.postgres.js';
import { appendAudit } from './audit-log.postgres.js';
import type { AuditedChange, DocumentChange, DocumentContent, RegistryLook, RegistryStore } from './registry-store.js';

interface Row {
  org_id: string;
  kind: DocumentKind;
  id: string;
  name: string;
  unique_name: string | null;
  version: string;
  body: DocumentBody;
  deleted: boolean;
  created_at: Date;
  updated_at: Date;
}

const COLUMNS = `org_id, kind, id, name, unique_name, version, body, deleted, created_at, updated_at`;

function toDocument(row: Row): RegistryDocument {
  return {
    orgId: row.org_id,
    kind: row.kind,
    id: row.id,
    name: row.name,
    version: Number(row.version),
    body: row.body,
    createdAtMs: row.created_at.getTime(),
    updatedAtMs: row.updated_at.getTime(),
  };
}

/** The registry in PostgreSQL (migration 0001). Every wait is bounded by the DataSource's own limits. */
export class PostgresRegistryStore implements RegistryStore {
  constructor(
    private readonly source: DataSource,
    private readonly clock: Clock = systemClock,
  ) {}

  head(): Promise<RegistryHead> {
    return answered(async () => {
      const { lineage, version } = await readHead(this.source.manager);
      return { lineage, version };
    });
  }

  changesSince(version: number): Promise<RegistryDelta> {
    return answered(() =>
      // Repeatable read: head and rows come from the same moment.
      this.source.transaction('REPEATABLE READ', async (sql) => {
        const { floor, ...head } = await readHead(sql);
        const full = version <= 0 || version < floor;
        const rows = (await sql.query(
          `SELECT ${COLUMNS} FROM registry_documents WHERE version > $1 ${full ? 'AND NOT deleted' : ''}`,
          [full ? -1 : version],
        )) as Row[];
        return {
          head,
          full,
          documents: rows.filter((row) => !row.deleted).map(toDocument),
          removed: rows.filter((row) => row.deleted).map((row) => ({ orgId: row.org_id, kind: row.kind, id: row.id })),
        };
      }),
    );
  }

  get(ref: DocumentRef): Promise<RegistryDocument | null> {
    return answered(async () => {
      const [row] = (await this.source.query(
        `SELECT ${COLUMNS} FROM registry_documents WHERE org_id = $1 AND kind = $2 AND id = $3 AND NOT deleted`,
        [ref.orgId, ref.kind, ref.id],
      )) as Row[];
      return row === undefined ? null : toDocument(row);
    });
  }

  async create(ref: DocumentRef, content: DocumentContent, audit: AuditedChange): Promise<RegistryDocument> {
    const [document] = await this.changeAll(async () => [{ op: 'create', ref, content, audit }]);
    return document as RegistryDocument;
  }

  async update(
    ref: DocumentRef,
    expectedVersion: number | null,
    decide: (current: RegistryDocument) => DocumentContent,
    audit: AuditedChange,
  ): Promise<RegistryDocument> {
    const [document] = await this.changeAll(async () => [{ op: 'update', ref, expectedVersion, decide, audit }]);
    return document as RegistryDocument;
  }

  async remove(ref: DocumentRef, expectedVersion: number | null, audit: AuditedChange): Promise<void> {
    await this.changeAll(async () => [{ op: 'remove', ref, expectedVersion, audit }]);
  }

  /** Every writer locks the head first, then documents, then the audit chain: they take turns and cannot deadlock. */
  changeAll(plan: (look: RegistryLook) => Promise<readonly DocumentChange[]>): Promise<readonly RegistryDocument[]> {
    return answered(() =>
      this.source.transaction(async (sql) => {
        await sql.query(`SELECT 1 FROM registry_head FOR UPDATE`);
        const now = new Date(this.clock.now());
        const documents: RegistryDocument[] = [];
        for (const change of await plan(lookOf(sql))) documents.push(await make(sql, change, now));
        return documents;
      }),
    );
  }

  raiseAbove(version: number): Promise<RegistryHead> {
    return answered(() =>
      this.source.transaction(async (sql) => {
        await sql.query(`UPDATE registry_head SET version = $1, floor = $1 WHERE version <= $2`, [
          version + 1,
          version,
        ]);
        const head = await readHead(sql);
        return { lineage: head.lineage, version: head.version };
      }),
    );
  }
}

function lookOf(sql: EntityManager): RegistryLook {
  const read = async (condition: string, values: readonly unknown[]): Promise<RegistryDocument[]> => {
    const rows = (await sql.query(
      `SELECT ${COLUMNS} FROM registry_documents WHERE org_id = $1 AND kind = $2 AND NOT deleted AND ${condition}`,
      [...values],
    )) as Row[];
    return rows.map(toDocument);
  };
  return {
    get: async (ref) => (await read('id = $3', [ref.orgId, ref.kind, ref.id]))[0] ?? null,
    named: (orgId, kind, uniqueNames) => read('unique_name = ANY($3)', [orgId, kind, uniqueNames]),
    holding: (orgId, kind, values, limit) => {
      const fields = Object.entries(values);
      const conditions = fields.map((_, n) => `body ->> $${2 * n + 4} IS NOT DISTINCT FROM $${2 * n + 5}`);
      return read(`${['true', ...conditions].join(' AND ')} ORDER BY id LIMIT $3`, [
        orgId,
        kind,
        limit,
        ...fields.flat(),
      ]);
    },
  };
}

/** Makes one change and writes its audit row. */
function make(sql: EntityManager, change: DocumentChange, now: Date): Promise<RegistryDocument> {
  switch (change.op) {
    case 'create':
      return create(sql, change, now);
    case 'update':
      return update(sql, change, now);
    case 'remove':
      return remove(sql, change, now);
  }
}

async function create(
  sql: EntityManager,
  { ref, content, audit }: Extract<DocumentChange, { op: 'create' }>,
  now: Date,
): Promise<RegistryDocument> {
  const version = await takeVersion(sql);
  const rows = (await sql.query(
    `INSERT INTO registry_documents (org_id, kind, id, name, unique_name, version, body, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING RETURNING ${COLUMNS}`,
    [ref.orgId, ref.kind, ref.id, content.name, content.uniqueName ?? null, version, content.body, now],
  )) as Row[];
  if (rows[0] === undefined) throw new AppError('conflict', { text: 'There is one of that name already.' });
  const document = toDocument(rows[0]);
  await record(sql, audit, { before: null, after: document, version, now });
  return document;
}

async function update(
  sql: EntityManager,
  { ref, expectedVersion, decide, audit }: Extract<DocumentChange, { op: 'update' }>,
  now: Date,
): Promise<RegistryDocument> {
  const row = await lockRow(sql, ref, expectedVersion);
  const before = toDocument(row);
  const content = decide(before);
  if (content === before) return before;
  const version = await takeVersion(sql);
  const uniqueName = content.uniqueName === undefined ? row.unique_name : content.uniqueName;
  const [rows] = (await sql.query(
    `UPDATE registry_documents SET name = $4, unique_name = $5, version = $6, body = $7, updated_at = $8
     WHERE org_id = $1 AND kind = $2 AND id = $3 RETURNING ${COLUMNS}`,
    [ref.orgId, ref.kind, ref.id, content.name, uniqueName, version, content.body, now],
  )) as [Row[], number];
  const after = toDocument(rows[0] as Row);
  await record(sql, audit, { before, after, version, now });
  return after;
}

async function remove(
  sql: EntityManager,
  { ref, expectedVersion, audit }: Extract<DocumentChange, { op: 'remove' }>,
  now: Date,
): Promise<RegistryDocument> {
  const before = toDocument(await lockRow(sql, ref, expectedVersion));
  const version = await takeVersion(sql);
  await sql.query(
    `UPDATE registry_documents SET deleted = true, version = $4, body = '{}', updated_at = $5
     WHERE org_id = $1 AND kind = $2 AND id = $3`,
    [ref.orgId, ref.kind, ref.id, version, now],
  );
  await record(sql, audit, { before, after: null, version, now });
  return { ...before, version };
}

interface Change {
  readonly before: RegistryDocument | null;
  readonly after: RegistryDocument | null;
  readonly version: number;
  readonly now: Date;
}

function record(sql: EntityManager, audit: AuditedChange, { before, after, version, now }: Change): Promise<void> {
  const subject = (after ?? before) as RegistryDocument;
  const entry = {
    orgId: subject.orgId,
    action: audit.action,
    objectKind: subject.kind,
    objectId: subject.id,
    objectName: subject.name,
    version,
    before: before === null ? null : audit.view(before),
    after: after === null ? null : audit.view(after),
    origin: audit.origin,
  };
  return appendAudit(sql, entry, now.getTime());
}

async function readHead(sql: EntityManager): Promise<RegistryHead & { floor: number }> {
  const [row] = (await sql.query(`SELECT lineage, version, floor FROM registry_head`)) as {
    lineage: string;
    version: string;
    floor: string;
  }[];
  if (row === undefined) throw new Error('registry_head is empty: the database is not migrated');
  return { lineage: row.lineage, version: Number(row.version), floor: Number(row.floor) };
}

async function takeVersion(sql: EntityManager): Promise<number> {
  const [rows] = (await sql.query(`UPDATE registry_head SET version = version + 1 RETURNING version`)) as [
    { version: string }[],
    number,
  ];
  return Number(rows[0]?.version);
}

async function lockRow(sql: EntityManager, ref: DocumentRef, expectedVersion: number | null): Promise<Row> {
  const [row] = (await sql.query(
    `SELECT ${COLUMNS} FROM registry_documents WHERE org_id = $1 AND kind = $2 AND id = $3 AND NOT deleted FOR UPDATE`,
    [ref.orgId, ref.kind, ref.id],
  )) as Row[];
  if (row === undefined) throw new AppError('not_found');
  if (expectedVersion !== null && Number(row.version) !== expectedVersion) {
    throw new AppError('conflict', { text: 'The object was changed by somebody else: read it again.' });
  }
  return row;
}
