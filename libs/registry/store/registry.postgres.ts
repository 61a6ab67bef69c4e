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
import type { AuditedChange, DocumentContent, RegistryStore } from './registry-store.js';

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

  create(ref: DocumentRef, content: DocumentContent, audit: AuditedChange): Promise<RegistryDocument> {
    return this.change(async (sql, nextVersion, now) => {
      const version = await nextVersion();
      const rows = (await sql.query(
        `INSERT INTO registry_documents (org_id, kind, id, name, unique_name, version, body, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING RETURNING ${COLUMNS}`,
        [ref.orgId, ref.kind, ref.id, content.name, content.uniqueName ?? null, version, content.body, now],
      )) as Row[];
      if (rows[0] === undefined) throw new AppError('conflict', { text: 'There is one of that name already.' });
      const document = toDocument(rows[0]);
      await record(sql, audit, { before: null, after: document, version, now });
      return document;
    });
  }

  update(
    ref: DocumentRef,
    expectedVersion: number | null,
    decide: (current: RegistryDocument) => DocumentContent,
    audit: AuditedChange,
  ): Promise<RegistryDocument> {
    return this.change(async (sql, nextVersion, now) => {
      const row = await lockRow(sql, ref, expectedVersion);
      const before = toDocument(row);
      const content = decide(before);
      if (content === before) return before;
      const version = await nextVersion();
      const uniqueName = content.uniqueName === undefined ? row.unique_name : content.uniqueName;
      const [rows] = (await sql.query(
        `UPDATE registry_documents SET name = $4, unique_name = $5, version = $6, body = $7, updated_at = $8
         WHERE org_id = $1 AND kind = $2 AND id = $3 RETURNING ${COLUMNS}`,
        [ref.orgId, ref.kind, ref.id, content.name, uniqueName, version, content.body, now],
      )) as [Row[], number];
      const after = toDocument(rows[0] as Row);
      await record(sql, audit, { before, after, version, now });
      return after;
    });
  }

  async remove(ref: DocumentRef, expectedVersion: number | null, audit: AuditedChange): Promise<void> {
    await this.change(async (sql, nextVersion, now) => {
      const before = toDocument(await lockRow(sql, ref, expectedVersion));
      const version = await nextVersion();
      await sql.query(
        `UPDATE registry_documents SET deleted = true, version = $4, body = '{}', updated_at = $5
         WHERE org_id = $1 AND kind = $2 AND id = $3`,
        [ref.orgId, ref.kind, ref.id, version, now],
      );
      await record(sql, audit, { before, after: null, version, now });
    });
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

  /**
   * Runs one change in a transaction. `nextVersion` takes the registry's next version; its row lock, held to the end, makes
   * writers take turns. It is always locked last but one (document, head, audit chain), so writers cannot deadlock.
   */
  private change<T>(
    work: (sql: EntityManager, nextVersion: () => Promise<number>, now: Date) => Promise<T>,
  ): Promise<T> {
    return answered(() =>
      this.source.transaction((sql) => work(sql, () => takeVersion(sql), new Date(this.clock.now()))),
    );
  }
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
