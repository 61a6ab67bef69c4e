import { randomBytes } from 'node:crypto';

/** Prefixes of every id in the product; the prefix says what an id names. */
export type IdPrefix =
  | 'req'
  | 'key'
  | 'tok'
  | 'sess'
  | 'aud'
  | 'org'
  | 'team'
  | 'user'
  | 'app'
  | 'tag'
  | 'inst'
  | 'evt'
  | 'hook'
  | 'price'
  | 'chain';

let lastMs = 0;
/** `lastMs` as the first two groups of an id. */
let lastTime = '';
let sequence = 0;
const pool = { digits: '', at: 0 };

/** Sixteen random hexadecimal digits, from blocks: one system call serves 512 ids. */
function randomDigits(): string {
  if (pool.at === pool.digits.length) {
    pool.digits = randomBytes(4096).toString('hex');
    pool.at = 0;
  }
  pool.at += 16;
  return pool.digits.slice(pool.at - 16, pool.at);
}

function moveTo(ms: number): void {
  const digits = ms.toString(16).padStart(12, '0');
  lastTime = `${digits.slice(0, 8)}-${digits.slice(8)}`;
  lastMs = ms;
  sequence = 0;
}

const VARIANTS = ['8', '9', 'a', 'b'] as const;

/**
 * A UUIDv7 (RFC 9562 §5.7) in its 36-character text form. Ids made by one process sort in the order in which they were
 * made: the 12 bits after the time count up within a millisecond, and a clock that steps back does not turn them round.
 */
export function uuidv7(nowMs: number = Date.now()): string {
  if (nowMs > lastMs) moveTo(nowMs);
  else if (++sequence > 0xfff) moveTo(lastMs + 1);
  const counted = (0x7000 + sequence).toString(16);
  const random = randomDigits();
  const variant = VARIANTS[parseInt(random.charAt(0), 16) & 0x3];
  return `${lastTime}-${counted}-${variant}${random.slice(1, 4)}-${random.slice(4)}`;
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
