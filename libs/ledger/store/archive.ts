import { AppError } from '#libs/platform/errors.js';
import { idTimeMs } from '#libs/platform/ids.js';
import { cleanText } from '../clean-text.js';

/** One body: the bytes as they were on the wire, gzipped. */
export interface ArchivedBody {
  readonly gzip: Buffer;
  /** Length before gzip. */
  readonly bytes: number;
  /** The body was longer and has been cut. */
  readonly truncated: boolean;
}

export type FacetScalar = string | number | boolean;
export type FacetValue = FacetScalar | readonly FacetScalar[];
/** Flat properties to search by; names are declared when the archive is made. */
export type Facets = Readonly<Record<string, FacetValue>>;

/** What the archive keeps of one call. Its time is the one inside the id. */
export interface ArchiveRecord {
  /** Prefixed UUIDv7; unique, so a record sent twice is kept once. */
  readonly id: string;
  readonly orgId: string;
  /** What kind of call: `llm`, later also `mcp`, `a2a`. */
  readonly kind: string;
  readonly facets: Facets;
  readonly request: ArchivedBody;
  readonly response: ArchivedBody;
}

/** A record in a list: without its bodies. */
export interface ArchiveHead {
  readonly id: string;
  readonly orgId: string;
  readonly kind: string;
  readonly facets: Facets;
  readonly timeMs: number;
}

export interface AppendResult {
  /** New records. Those that were there already are not counted and not an error. */
  readonly stored: number;
  /** Ids of records above {@link MAX_RECORD_BYTES}, which are not kept. */
  readonly tooLarge: readonly string[];
}

export interface ArchiveQuery {
  readonly orgId: string;
  readonly kind: string;
  /** Inclusive. */
  readonly fromMs?: number;
  /** Exclusive. */
  readonly toMs?: number;
  /** Every named facet equals the value, or, where it is a list, contains it. */
  readonly facets?: Readonly<Record<string, FacetScalar>>;
  /** 1 … 200. */
  readonly limit: number;
  /** `nextCursor` of the page before; anything else is refused with `invalid_request`. */
  readonly cursor?: string;
}

export interface ArchivePage {
  /** Newest first. */
  readonly items: readonly ArchiveHead[];
  readonly nextCursor: string | null;
}

/** Where requests and responses are kept: PostgreSQL or MongoDB, the same to everybody else. */
export interface ArchivePort {
  /** Keeps each record once, whether it was sent before or not. Rejects when the store is away: send all of them again. */
  append(records: readonly ArchiveRecord[]): Promise<AppendResult>;
  get(orgId: string, id: string): Promise<ArchiveRecord | null>;
  page(query: ArchiveQuery): Promise<ArchivePage>;
  /** Drops every calendar month (UTC) that ended at or before `timeMs`; answers how many. Never deletes single records. */
  purgeBefore(timeMs: number): Promise<number>;
  /** All records of a time span, oldest first, one in memory at a time. */
  export(query: Pick<ArchiveQuery, 'orgId' | 'kind' | 'fromMs' | 'toMs'>): AsyncIterable<ArchiveRecord>;
}

/** Largest record in both adapters: MongoDB stops at 16 MiB a document. */
export const MAX_RECORD_BYTES = 15 * 1024 * 1024;

const FACET_NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;
const FACET_LIST = 64;
const facetText = cleanText(1024);

/** Bytes a record takes in the store, near enough for the bound. */
export function recordBytes(record: ArchiveRecord): number {
  return record.request.gzip.length + record.response.gzip.length + JSON.stringify(record.facets).length + 1024;
}

/** Splits what fits from what is above {@link MAX_RECORD_BYTES}. */
export function splitBySize(records: readonly ArchiveRecord[]): { fit: ArchiveRecord[]; tooLarge: string[] } {
  const fit = records.filter((record) => recordBytes(record) <= MAX_RECORD_BYTES);
  const tooLarge = records.filter((record) => recordBytes(record) > MAX_RECORD_BYTES).map((record) => record.id);
  return { fit, tooLarge };
}

/** The time inside a record's id, ms since 1970. @throws AppError `invalid_request` when it is no id of ours */
export function recordTimeMs(id: string): number {
  const timeMs = idTimeMs(id);
  if (timeMs === null) throw new AppError('invalid_request', { text: 'The id is malformed.', param: 'id' });
  return timeMs;
}

/** Makes the check that facets are flat, storable and declared; it answers them without what no store can keep. */
export function facetCheck(declared: readonly string[]): (facets: Facets) => Facets {
  const known = new Set(declared);
  for (const name of declared) if (!FACET_NAME.test(name)) throw new RangeError(`not a facet name: ${name}`);
  return (facets) => {
    const checked: Record<string, FacetValue> = {};
    for (const [name, value] of Object.entries(facets)) {
      if (!known.has(name)) throw new AppError('invalid_request', { text: 'There is no such facet.', param: name });
      checked[name] = Array.isArray(value)
        ? value.slice(0, FACET_LIST).map((v) => scalar(v, name))
        : scalar(value, name);
    }
    return checked;
  };
}

function scalar(value: unknown, name: string): FacetScalar {
  if (typeof value === 'string') return facetText(value);
  if (typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))) return value;
  throw new AppError('invalid_request', {
    text: 'A facet is a string, a number, a boolean or a list of those.',
    param: name,
  });
}

/** First moment (ms, UTC) of the month `offset` months after the one that contains `timeMs`. */
export function monthStartMs(timeMs: number, offset = 0): number {
  const date = new Date(timeMs);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + offset, 1);
}

/** What bodies of calls are found by. */
export const LOG_FACETS = ['key', 'model'] as const;
