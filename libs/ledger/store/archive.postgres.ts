import type { DataSource } from 'typeorm';
import type { TablePartitions } from '#libs/stores/index.js';
import { decodeCursor, encodeCursor, type Keyset } from '../keyset-cursor.js';
import {
  facetCheck,
  recordTimeMs,
  splitBySize,
  type AppendResult,
  type ArchiveHead,
  type ArchivePage,
  type ArchivePort,
  type ArchiveQuery,
  type ArchiveRecord,
  type Facets,
} from './archive.js';

type Order = 'newest' | 'oldest';

const COLUMNS = [
  'ts',
  'id',
  'org_id',
  'kind',
  'facets',
  'request',
  'request_bytes',
  'request_truncated',
  'response',
  'response_bytes',
  'response_truncated',
] as const;
const READ = COLUMNS.join(', ');
/** What one INSERT carries at most, so that no message grows without bound. */
const STATEMENT_BYTES = 32 * 1024 * 1024;
const STATEMENT_RECORDS = 500;
const EXPORT_PAGE = 100;

/** The archive on PostgreSQL: gzipped bytes in monthly partitions of `archive_records`, facets as jsonb. */
export class PostgresArchive implements ArchivePort {
  readonly #source: DataSource;
  readonly #check: (facets: Facets) => Facets;
  readonly #partitions: TablePartitions;

  /**
   * @param source for reading any role will do; to append and purge it must own the table
   * @param facets names by which records can be found
   * @param partitions monthly ones of `archive_records`
   */
  constructor(source: DataSource, facets: readonly string[], partitions: TablePartitions) {
    this.#source = source;
    this.#check = facetCheck(facets);
    this.#partitions = partitions;
  }

  async append(records: readonly ArchiveRecord[]): Promise<AppendResult> {
    const { fit, tooLarge } = splitBySize(records);
    const rows = fit.map((record) => this.#toRow(record));
    const times = fit.map((record) => recordTimeMs(record.id)).sort((a, b) => a - b);
    const [first, last] = [times[0], times.at(-1)];
    if (first !== undefined && last !== undefined) await this.#partitions.ensure(first, last);
    let stored = 0;
    for (const part of inParts(rows)) {
      const places = part.map(
        (row, at) => `(${row.map((_, column) => `$${at * COLUMNS.length + column + 1}`).join(', ')})`,
      );
      const added = (await this.#source.query(
        `INSERT INTO archive_records (${READ}) VALUES ${places.join(', ')} ON CONFLICT (ts, id) DO NOTHING RETURNING id`,
        part.flat(),
      )) as unknown[];
      stored += added.length;
    }
    return { stored, tooLarge };
  }

  async get(orgId: string, id: string): Promise<ArchiveRecord | null> {
    const rows = (await this.#source.query(
      `SELECT ${READ} FROM archive_records WHERE ts = $1 AND id = $2 AND org_id = $3`,
      [new Date(recordTimeMs(id)), id, orgId],
    )) as StoredRecord[];
    return rows[0] === undefined ? null : toRecord(rows[0]);
  }

  async page(query: ArchiveQuery): Promise<ArchivePage> {
    const after = query.cursor === undefined ? null : decodeCursor(query.cursor);
    const heads = await this.#heads(query, 'newest', after, query.limit + 1);
    const items = heads.slice(0, query.limit);
    return { items, nextCursor: heads.length > query.limit ? encodeCursor((items.at(-1) as ArchiveHead).id) : null };
  }

  purgeBefore(timeMs: number): Promise<number> {
    return this.#partitions.dropBefore(timeMs);
  }

  async *export(query: Pick<ArchiveQuery, 'orgId' | 'kind' | 'fromMs' | 'toMs'>): AsyncGenerator<ArchiveRecord> {
    for (let after: Keyset | null = null; ;) {
      const heads: ArchiveHead[] = await this.#heads(query, 'oldest', after, EXPORT_PAGE);
      for (const head of heads) {
        const record = await this.get(head.orgId, head.id);
        if (record !== null) yield record; // null: purged meanwhile
      }
      after = heads.at(-1) ?? null;
      if (heads.length < EXPORT_PAGE) return;
    }
  }

  async #heads(
    query: Omit<ArchiveQuery, 'limit' | 'cursor'>,
    order: Order,
    after: Keyset | null,
    limit: number,
  ): Promise<ArchiveHead[]> {
    const values: unknown[] = [query.orgId, query.kind];
    const all = ['org_id = $1', 'kind = $2'];
    const add = (condition: string, ...more: unknown[]): void => {
      const first = values.push(...more) - more.length + 1;
      all.push(condition.replace(/\?(\d)/g, (_, at: string) => `$${first + Number(at)}`));
    };
    if (query.fromMs !== undefined) add('ts >= ?0', new Date(query.fromMs));
    if (query.toMs !== undefined) add('ts < ?0', new Date(query.toMs));
    if (after !== null) {
      // The first half lets PostgreSQL skip partitions, the second is the keyset.
      const sign = order === 'newest' ? '<' : '>';
      add(`ts ${sign}= ?0 AND (ts, id) ${sign} (?0::timestamptz, ?1::text)`, new Date(after.timeMs), after.id);
    }
    for (const [name, value] of Object.entries(this.#check(query.facets ?? {}))) {
      // A facet holds the value itself or a list with it.
      add('(facets @> ?0::jsonb OR facets @> ?1::jsonb)', toJson({ [name]: value }), toJson({ [name]: [value] }));
    }
    const direction = order === 'newest' ? 'DESC' : 'ASC';
    values.push(limit);
    const rows = (await this.#source.query(
      `SELECT ts, id, org_id, kind, facets FROM archive_records WHERE ${all.join(' AND ')}
        ORDER BY ts ${direction}, id ${direction} LIMIT $${values.length}`,
      values,
    )) as StoredHead[];
    return rows.map(({ ts, id, org_id, kind, facets }) => ({ id, orgId: org_id, kind, facets, timeMs: ts.getTime() }));
  }

  #toRow(record: ArchiveRecord): unknown[] {
    const { request, response } = record;
    return [
      new Date(recordTimeMs(record.id)),
      record.id,
      record.orgId,
      record.kind,
      toJson(this.#check(record.facets)),
      request.gzip,
      request.bytes,
      request.truncated,
      response.gzip,
      response.bytes,
      response.truncated,
    ];
  }
}

const toJson = (value: unknown): string => JSON.stringify(value);

function* inParts(rows: readonly unknown[][]): Generator<unknown[][]> {
  let part: unknown[][] = [];
  let bytes = 0;
  for (const row of rows) {
    const size = row.reduce<number>((sum, value) => sum + (Buffer.isBuffer(value) ? value.length : 64), 0);
    if (part.length > 0 && (bytes + size > STATEMENT_BYTES || part.length === STATEMENT_RECORDS)) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(row);
    bytes += size;
  }
  if (part.length > 0) yield part;
}

interface StoredHead {
  readonly ts: Date;
  readonly id: string;
  readonly org_id: string;
  readonly kind: string;
  readonly facets: Facets;
}

interface StoredRecord extends StoredHead {
  readonly request: Buffer;
  readonly request_bytes: number;
  readonly request_truncated: boolean;
  readonly response: Buffer;
  readonly response_bytes: number;
  readonly response_truncated: boolean;
}

function toRecord(row: StoredRecord): ArchiveRecord {
  return {
    id: row.id,
    orgId: row.org_id,
    kind: row.kind,
    facets: row.facets,
    request: { gzip: row.request, bytes: row.request_bytes, truncated: row.request_truncated },
    response: { gzip: row.response, bytes: row.response_bytes, truncated: row.response_truncated },
  };
}
