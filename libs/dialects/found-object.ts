import { MAX_DEPTH, scanObject, skipContainer, skipSpace, skipString, type Span } from './scan.js';

/**
 * Finds a named object in an answer without parsing the answer. Only structure counts: what a model or a caller put elsewhere
 * under the same name, a tool's argument say, is not taken for the provider's own word.
 */

const QUOTE = 0x22;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** A JSON object found inside an answer: parsed, and as text. */
export interface FoundObject {
  readonly value: Record<string, unknown>;
  readonly text: string;
}

/** The JSON object at a path of names from the top of `json`; `null` where something else stands there, or no JSON. */
export function objectAt(json: Buffer, path: readonly string[]): FoundObject | null {
  let span: Span | undefined = { start: 0, end: json.length };
  let at = json;
  try {
    for (const name of path) {
      span = scanObject(at, only(name)).fields.get(name);
      if (span === undefined) return null;
      at = at.subarray(span.start, span.end);
    }
  } catch {
    return null;
  }
  return objectIn(at);
}

/** The JSON object that the bytes are; `null` when they are something else. */
export function objectIn(json: Buffer): FoundObject | null {
  if (json[skipSpace(json, 0)] !== OPEN_BRACE) return null;
  try {
    const text = json.toString();
    return { value: JSON.parse(text) as Record<string, unknown>, text };
  } catch {
    return null;
  }
}

/**
 * The last JSON object that is the value of `key` inside `bytes`, or `null`. `bytes` may begin anywhere (the tail of a
 * stream): a quote inside a JSON string is always escaped, so `"key":{` can only be structure.
 */
export function lastObjectOf(bytes: Buffer, key: string): FoundObject | null {
  return lastWhere(bytes, key, () => true);
}

/** The same, but only an object that stands exactly `depth` brackets deep, counted from the end of the bytes. */
export function lastObjectAt(bytes: Buffer, key: string, depth: number): FoundObject | null {
  return lastWhere(bytes, key, (end) => closersAfter(bytes, end) === depth);
}

function lastWhere(bytes: Buffer, key: string, fits: (end: number) => boolean): FoundObject | null {
  const needle = quoted(key);
  for (let at = bytes.lastIndexOf(needle); at >= 0; at = at === 0 ? -1 : bytes.lastIndexOf(needle, at - 1)) {
    const span = objectAfter(bytes, at + needle.length);
    const found = span === null || !fits(span.end) ? null : objectIn(bytes.subarray(span.start, span.end));
    if (found !== null) return found;
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

const watchedNames = new Map<string, ReadonlySet<string>>();

/** A set of one name of ours, made once. */
function only(name: string): ReadonlySet<string> {
  let names = watchedNames.get(name);
  if (names === undefined) watchedNames.set(name, (names = new Set([name])));
  return names;
}

/** Where the object behind a key that ends at `at` stands; `null` when it is something else, or cut off. */
function objectAfter(bytes: Buffer, at: number): Span | null {
  const colon = skipSpace(bytes, at);
  if (bytes[colon] !== COLON) return null;
  const start = skipSpace(bytes, colon + 1);
  if (bytes[start] !== OPEN_BRACE) return null;
  try {
    return { start, end: skipContainer(bytes, start, 0) };
  } catch {
    return null;
  }
}

/** How many brackets that were open at `at` are closed after it; -1 when the bytes are no JSON. */
function closersAfter(bytes: Buffer, at: number): number {
  let level = 0;
  let closers = 0;
  try {
    for (let i = at; i < bytes.length;) {
      const byte = bytes[i] as number;
      if (byte === QUOTE) {
        i = skipString(bytes, i);
        continue;
      }
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
