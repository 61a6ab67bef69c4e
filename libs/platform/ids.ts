import { randomBytes } from 'node:crypto';

/** Prefixes of every id in the product; the prefix says what an id names. */
export type IdPrefix = 'req' | 'key' | 'tok' | 'sess' | 'aud' | 'org' | 'team' | 'user' | 'app' | 'inst';

let lastMs = 0;
let sequence = 0;
const pool = { bytes: Buffer.alloc(0), at: 0 };

/** Random bytes in blocks: one system call serves 512 ids. */
function randomTail(): Buffer {
  if (pool.at + 8 > pool.bytes.length) {
    pool.bytes = randomBytes(4096);
    pool.at = 0;
  }
  pool.at += 8;
  return pool.bytes.subarray(pool.at - 8, pool.at);
}

/**
 * A UUIDv7 (RFC 9562 §5.7) in its 36-character text form. Ids made by one process sort in the order in which they were
 * made: the 12 bits after the time count up within a millisecond, and a clock that steps back does not turn them round.
 */
export function uuidv7(nowMs: number = Date.now()): string {
  if (nowMs > lastMs) {
    lastMs = nowMs;
    sequence = 0;
  } else if (++sequence > 0xfff) {
    lastMs += 1;
    sequence = 0;
  }
  const tail = randomTail();
  const time = lastMs.toString(16).padStart(12, '0');
  const low = tail.toString('hex');
  const variant = (0x8 | ((tail[0] as number) & 0x3)).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${sequence.toString(16).padStart(3, '0')}-${variant}${low.slice(1, 4)}-${low.slice(4)}`;
}

/** A new id such as `req_0198c0de-…`. */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${uuidv7()}`;
}

const ID = /^[a-z]+_([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Milliseconds since 1970 at which an id was made, or `null` when the text is no id of ours. */
export function idTimeMs(id: string): number | null {
  const match = ID.exec(id);
  return match === null ? null : parseInt(`${match[1]}${match[2]}`, 16);
}

/** The bare UUID inside a prefixed id, as stored in PostgreSQL. */
export function idUuid(id: string): string {
  return id.slice(id.indexOf('_') + 1);
}
