import { MAX_DEPTH, skipContainer, skipSpace, skipString } from './scan.js';

/**
 * Finds a named object inside bytes that may begin anywhere, such as the tail of a stream. A quote inside a JSON string is
 * always escaped, so `"key":{` can only be structure, wherever the bytes begin.
 */

const QUOTE = 0x22;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const LINE_FEED = 0x0a;

/** A JSON object found inside a stream of bytes: parsed, as text, and where it stands. */
export interface FoundObject {
  readonly value: Record<string, unknown>;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** The last JSON object that is the value of `key`, or `null`. */
export function lastObjectOf(bytes: Buffer, key: string): FoundObject | null {
  return lastWhere(bytes, key, () => true);
}

/**
 * The last JSON object that is the value of `key` and stands exactly `depth` brackets deep, counted from the end: of the
 * buffer, or with `inLine` of its line (server-sent events have one JSON text per line). What a model or a caller put
 * deeper into an answer, under the same name, is not taken for the provider's own word.
 */
export function lastObjectAt(bytes: Buffer, key: string, depth: number, inLine: boolean): FoundObject | null {
  return lastWhere(bytes, key, (found) => closersAfter(bytes, found.end, inLine) === depth);
}

/** The first JSON object that is the value of `key`, or `null`. */
export function firstObjectOf(bytes: Buffer, key: string): FoundObject | null {
  const needle = quoted(key);
  for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) {
    const found = objectAfter(bytes, at + needle.length);
    if (found !== null) return found;
  }
  return null;
}

/** The JSON text of the server-sent event line that holds `at`; `null` when that line carries no data. */
export function eventDataAt(bytes: Buffer, at: number): Buffer | null {
  const start = at === 0 ? 0 : bytes.lastIndexOf(LINE_FEED, at - 1) + 1;
  if (bytes.toString('latin1', start, start + 5) !== 'data:') return null;
  const end = bytes.indexOf(LINE_FEED, at);
  return bytes.subarray(start + 5, end < 0 ? bytes.length : end);
}

function lastWhere(bytes: Buffer, key: string, fits: (found: FoundObject) => boolean): FoundObject | null {
  const needle = quoted(key);
  for (let at = bytes.lastIndexOf(needle); at >= 0; at = at === 0 ? -1 : bytes.lastIndexOf(needle, at - 1)) {
    const found = objectAfter(bytes, at + needle.length);
    if (found !== null && fits(found)) return found;
  }
  return null;
}

const quotedKeys = new Map<string, Buffer>();

/** `"key"` as bytes. The keys are names in our code, so few. */
function quoted(key: string): Buffer {
  let bytes = quotedKeys.get(key);
  if (bytes === undefined) quotedKeys.set(key, (bytes = Buffer.from(`"${key}"`)));
  return bytes;
}

/** The object behind a key that ends at `at`; `null` when something else stands there, or an object that is cut off. */
function objectAfter(bytes: Buffer, at: number): FoundObject | null {
  const colon = skipSpace(bytes, at);
  if (bytes[colon] !== COLON) return null;
  const start = skipSpace(bytes, colon + 1);
  if (bytes[start] !== OPEN_BRACE) return null;
  try {
    const end = skipContainer(bytes, start, 0);
    const text = bytes.toString('utf8', start, end);
    return { value: JSON.parse(text) as Record<string, unknown>, text, start, end };
  } catch {
    return null;
  }
}

/** How many brackets that were open at `at` are closed after it; -1 when the bytes are no JSON. */
function closersAfter(bytes: Buffer, at: number, inLine: boolean): number {
  let level = 0;
  let closers = 0;
  try {
    for (let i = at; i < bytes.length;) {
      const byte = bytes[i] as number;
      if (byte === QUOTE) {
        i = skipString(bytes, i);
        continue;
      }
      if (byte === LINE_FEED && inLine) break;
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) level += 1;
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        if (level > 0) level -= 1;
        else closers += 1;
      }
      if (level > MAX_DEPTH) return -1;
      i += 1;
    }
  } catch {
    return -1;
  }
  return closers;
}
