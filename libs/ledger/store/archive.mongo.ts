import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection, mongo } from 'mongoose';
import { decodeCursor, encodeCursor, type Keyset } from '../keyset-cursor.js';
import {
  facetCheck,
  monthStartMs,
  recordTimeMs,
  splitBySize,
  type AppendResult,
  type ArchivedBody,
  type ArchiveHead,
  type ArchivePage,
  type ArchivePort,
  type ArchiveQuery,
  type ArchiveRecord,
  type Facets,
} from './archive.js';

type Binary = mongo.Binary;
type Filter = mongo.Filter<Document>;

interface StoredBody {
  readonly gzip: Binary;
  readonly bytes: number;
  readonly truncated: boolean;
}
interface Document {
  readonly _id: string;
  readonly org: string;
  readonly kind: string;
  readonly ts: Date;
  readonly facets: Facets;
  readonly request: StoredBody;
  readonly response: StoredBody;
}

type Order = 'newest' | 'oldest';

const PREFIX = 'archive_';
const MONTH = /^archive_(\d{4})_(\d{2})$/;
const SENDS = 4;
const EXPORT_PAGE = 100;
const DUPLICATE = 11_000;
const READ_MS = 10_000;

/**
 * The archive on MongoDB: one collection per calendar month (UTC), dropped whole for retention. Needs no feature beyond
 * plain documents and indexes, so that what the contract suite proves on a wire-compatible server holds on MongoDB too.
 */
export class MongoArchive implements ArchivePort {
  readonly #connection: Connection;
  /** Taken from the connection: importing it would load it in processes that have no MongoDB. */
  readonly #driver: typeof mongo;
  readonly #facets: readonly string[];
  readonly #check: (facets: Facets) => Facets;
  /** Collections whose indexes this process has made. */
  readonly #indexed = new Set<string>();

  /** @param facets names by which records can be found; each costs an index */
  constructor(connection: Connection, facets: readonly string[]) {
    this.#connection = connection;
    this.#driver = connection.base.mongo;
    this.#facets = facets;
    this.#check = facetCheck(facets);
  }

  async append(records: readonly ArchiveRecord[]): Promise<AppendResult> {
    const { fit, tooLarge } = splitBySize(records);
    const months = new Map<string, Document[]>();
    for (const document of fit.map((record) => this.#toDocument(record))) {
      const name = collectionName(document.ts);
      months.set(name, [...(months.get(name) ?? []), document]);
    }
    let stored = 0;
    for (const [name, documents] of months) {
      await this.#makeIndexes(name);
      stored += await this.#insert(name, documents);
    }
    return { stored, tooLarge };
  }

  async get(orgId: string, id: string): Promise<ArchiveRecord | null> {
    const name = collectionName(new Date(recordTimeMs(id)));
    const found = await this.#collection(name).findOne({ _id: id, org: orgId }, { maxTimeMS: READ_MS });
    return found === null ? null : toRecord(found);
  }

  async page(query: ArchiveQuery): Promise<ArchivePage> {
    const after = query.cursor === undefined ? null : decodeCursor(query.cursor);
    const heads = await this.#heads(query, 'newest', after, query.limit + 1);
    const items = heads.slice(0, query.limit);
    return { items, nextCursor: heads.length > query.limit ? encodeCursor((items.at(-1) as ArchiveHead).id) : null };
  }

  async purgeBefore(timeMs: number): Promise<number> {
    const names = (await this.#months('oldest')).filter((name) => monthEndMs(name) <= timeMs);
    for (const name of names) {
      await this.#db().dropCollection(name);
      this.#indexed.delete(name);
    }
    return names.length;
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

  #db(): mongo.Db {
    const { db } = this.#connection;
    if (db === undefined) throw new Error('the connection to MongoDB is closed');
    return db;
  }

  #collection(name: string): mongo.Collection<Document> {
    return this.#db().collection<Document>(name, { writeConcern: { w: 'majority' } });
  }

  async #makeIndexes(name: string): Promise<void> {
    if (this.#indexed.has(name)) return;
    const page = { org: 1, kind: 1, ts: -1, _id: -1 } as const;
    const byFacet = this.#facets.map((facet) => ({
      key: { org: 1, kind: 1, [`facets.${facet}`]: 1, ts: -1 } as const,
    }));
    await this.#collection(name).createIndexes([{ key: page }, ...byFacet]);
    this.#indexed.add(name);
  }

  /** Sends a batch until it is answered: a standalone server retries no write by itself. A copy is refused by its `_id`. */
  async #insert(name: string, documents: readonly Document[]): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await this.#collection(name).insertMany(documents, { ordered: false })).insertedCount;
      } catch (error) {
        const { MongoBulkWriteError, MongoNetworkError } = this.#driver;
        if (error instanceof MongoBulkWriteError && onlyDuplicates(error)) return error.insertedCount;
        if (!(error instanceof MongoNetworkError) || attempt === SENDS) throw error;
        await sleep(50 * 2 ** attempt);
      }
    }
  }

  async #heads(
    query: Omit<ArchiveQuery, 'limit' | 'cursor'>,
    order: Order,
    after: Keyset | null,
    limit: number,
  ): Promise<ArchiveHead[]> {
    const heads: ArchiveHead[] = [];
    for (const name of await this.#months(order)) {
      if (heads.length >= limit) break;
      if (!canHold(name, query, order, after)) continue;
      const direction = order === 'newest' ? -1 : 1;
      const found = this.#collection(name)
        .find(this.#filter(query, order, after), { projection: { request: 0, response: 0 }, maxTimeMS: READ_MS })
        .sort({ ts: direction, _id: direction })
        .limit(limit - heads.length);
      for (const { _id, org, kind, facets, ts } of await found.toArray()) {
        heads.push({ id: _id, orgId: org, kind, facets, timeMs: ts.getTime() });
      }
    }
    return heads;
  }

  #filter(query: Omit<ArchiveQuery, 'limit' | 'cursor'>, order: Order, after: Keyset | null): Filter {
    const all: Filter[] = [{ org: query.orgId, kind: query.kind }];
    if (query.fromMs !== undefined) all.push({ ts: { $gte: new Date(query.fromMs) } });
    if (query.toMs !== undefined) all.push({ ts: { $lt: new Date(query.toMs) } });
    for (const [name, value] of Object.entries(this.#check(query.facets ?? {}))) {
      all.push({ [`facets.${name}`]: { $eq: value } } as Filter);
    }
    if (after !== null) {
      const ts = new Date(after.timeMs);
      all.push(
        order === 'newest'
          ? { $or: [{ ts: { $lt: ts } }, { ts, _id: { $lt: after.id } }] }
          : { $or: [{ ts: { $gt: ts } }, { ts, _id: { $gt: after.id } }] },
      );
    }
    return { $and: all };
  }

  async #months(order: Order): Promise<string[]> {
    const listed = await this.#db().listCollections({}, { nameOnly: true, maxTimeMS: READ_MS }).toArray();
    const names = listed.map(({ name }) => name).filter((name) => MONTH.test(name));
    return order === 'oldest' ? names.sort() : names.sort().reverse();
  }

  #toDocument(record: ArchiveRecord): Document {
    return {
      _id: record.id,
      org: record.orgId,
      kind: record.kind,
      ts: new Date(recordTimeMs(record.id)),
      facets: this.#check(record.facets),
      request: { ...record.request, gzip: new this.#driver.Binary(record.request.gzip) },
      response: { ...record.response, gzip: new this.#driver.Binary(record.response.gzip) },
    };
  }
}

function collectionName(time: Date): string {
  return `${PREFIX}${time.getUTCFullYear()}_${String(time.getUTCMonth() + 1).padStart(2, '0')}`;
}

function monthEndMs(name: string): number {
  const [, year, month] = MONTH.exec(name) as unknown as [string, string, string];
  return Date.UTC(Number(year), Number(month), 1);
}

/** Can a month's collection hold anything the query asks for? */
function canHold(
  name: string,
  query: Pick<ArchiveQuery, 'fromMs' | 'toMs'>,
  order: Order,
  after: Keyset | null,
): boolean {
  const endMs = monthEndMs(name);
  const startMs = monthStartMs(endMs, -1);
  const afterFits = after === null || (order === 'newest' ? startMs <= after.timeMs : endMs > after.timeMs);
  return afterFits && (query.fromMs ?? -Infinity) < endMs && (query.toMs ?? Infinity) > startMs;
}

function onlyDuplicates(error: mongo.MongoBulkWriteError): boolean {
  const failed = Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors];
  return failed.length > 0 && failed.every((one) => one.code === DUPLICATE);
}

function toRecord({ _id, org, kind, facets, request, response }: Document): ArchiveRecord {
  return { id: _id, orgId: org, kind, facets, request: toBody(request), response: toBody(response) };
}

function toBody({ gzip, bytes, truncated }: StoredBody): ArchivedBody {
  return { gzip: Buffer.from(gzip.value()), bytes, truncated };
}
