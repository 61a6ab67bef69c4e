import { isUtf8 } from 'node:buffer';
import { promisify } from 'node:util';
import { gunzip as gunzipCallback } from 'node:zlib';
import type { Logger } from '#libs/platform/logger.js';
import type { ArchivedBody, ArchivePort } from './store/archive.js';
import type { UsageRow } from './store/usage-ledger.js';

const gunzip = promisify(gunzipCallback);

/** A body as text where it is UTF-8, else as base64. */
export type ReadBody = { readonly bytes: number; readonly truncated: boolean } & (
  { readonly text: string } | { readonly base64: string }
);

/**
 * Why there are no bodies: `pending` (just over, they follow), `not_archived` (switched off, shed or too large), `expired`,
 * `unavailable` (the archive is away), `not_allowed` (the caller may not see bodies).
 */
export type NoBodiesReason = 'pending' | 'not_archived' | 'expired' | 'unavailable' | 'not_allowed';

export type ReadBodies =
  | { readonly bodies: { readonly request: ReadBody; readonly response: ReadBody }; readonly bodiesReason: null }
  | { readonly bodies: null; readonly bodiesReason: NoBodiesReason };

/** Bodies usually arrive within a second of their row. */
const PENDING_MS = 30_000;
const LARGEST_BODY_BYTES = 16 * 1024 * 1024;
const DAY_MS = 86_400_000;

/** Reads the bodies of calls out of the archive, for people. */
export class BodyReader {
  readonly #archive: ArchivePort;
  readonly #logger: Logger;
  readonly #retentionDays: () => number;

  constructor(archive: ArchivePort, logger: Logger, retentionDays: () => number) {
    this.#archive = archive;
    this.#logger = logger;
    this.#retentionDays = retentionDays;
  }

  /** Never rejects: a row is shown whether or not its bodies can be. */
  async read(row: UsageRow): Promise<ReadBodies> {
    try {
      const record = await this.#archive.get(row.orgId, row.id);
      if (record === null) return { bodies: null, bodiesReason: this.#whyNone(row) };
      const [request, response] = await Promise.all([unpack(record.request), unpack(record.response)]);
      return { bodies: { request, response }, bodiesReason: null };
    } catch (error) {
      this.#logger.warn({ err: error, id: row.id }, 'bodies cannot be read from the archive');
      return { bodies: null, bodiesReason: 'unavailable' };
    }
  }

  #whyNone(row: UsageRow): NoBodiesReason {
    const ageMs = Date.now() - (row.timeMs + row.latencyMs);
    if (ageMs < PENDING_MS) return 'pending';
    return ageMs > this.#retentionDays() * DAY_MS ? 'expired' : 'not_archived';
  }
}

async function unpack({ gzip, bytes, truncated }: ArchivedBody): Promise<ReadBody> {
  const body = await gunzip(gzip, { maxOutputLength: LARGEST_BODY_BYTES });
  const text = truncated ? withoutCutCharacter(body) : body;
  return isUtf8(text)
    ? { text: text.toString(), bytes, truncated }
    : { base64: body.toString('base64'), bytes, truncated };
}

/** A cut may fall inside a character: leaves off its first bytes (at most three). */
function withoutCutCharacter(body: Buffer): Buffer {
  for (let back = 1; back <= Math.min(3, body.length); back++) {
    const byte = body[body.length - back] as number;
    if (byte < 0x80) break;
    if (byte >= 0xc0) return isUtf8(body.subarray(body.length - back)) ? body : body.subarray(0, body.length - back);
  }
  return body;
}
