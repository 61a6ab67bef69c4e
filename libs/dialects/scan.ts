import { AppError } from '#libs/platform/errors.js';
import { escapeMark, MARK_MEDIA, markOf } from './marks.js';

/**
 * Finds the top-level fields of a JSON object without parsing it. On the proxy path only a handful of fields is needed
 * (`model`, `stream`, …), and at 20 KB parsing everything would cost more than proxying (ADR 0006). The scanner checks the
 * structure (brackets pair up, strings end, depth is bounded, nothing follows); what is inside nested values is for the
 * upstream, or for a later stage that parses.
 */

/** Deepest nesting of a request body. */
export const MAX_DEPTH = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Byte range `[start, end)` of a value inside the body. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface ScannedObject {
  /** Value ranges of the watched fields that are present. */
  readonly fields: ReadonlyMap<string, Span>;
  /** Offset of the closing brace, where a field can be added. */
  readonly closeAt: number;
  readonly isEmpty: boolean;
  /** Marks (`marks.ts`) of the words inside nested values; `MARK_MEDIA` only from fields that hold the conversation. */
  readonly marks: number;
}

/** Fields in which media can stand; elsewhere, in tool schemas say, the same words are only names. */
const CONVERSATION: ReadonlySet<string> = new Set([
  'messages',
  'input',
  'prompt',
  'system',
  'contents',
  'content',
  'requests',
  'systemInstruction',
  'system_instruction',
]);

/** Marks seen since a scan last cleared them. */
let seenMarks = 0;

const malformed = (): AppError => new AppError('invalid_json');

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Offset of the first byte from `at` on that is no white space. */
export function skipSpace(body: Buffer, at: number): number {
  while (isSpace(body[at])) at++;
  return at;
}

/** Offset after the closing quote of the string whose opening quote is at `at`. @throws AppError `invalid_json` */
export function skipString(body: Buffer, at: number): number {
  // Most strings of a prompt are short keys or very long texts: look by hand first, then let memchr run.
  let from = at + 1;
  const near = Math.min(from + 48, body.length);
  for (; from < near; from++) {
    const byte = body[from];
    if (byte === QUOTE) return from + 1;
    if (byte === BACKSLASH) {
      seenMarks |= escapeMark(body, from);
      from++;
    }
  }
  let search = from;
  for (;;) {
    const quote = body.indexOf(QUOTE, search);
    if (quote < 0) throw malformed();
    let slashes = quote;
    while (slashes > from && body[slashes - 1] === BACKSLASH) slashes--;
    if (((quote - slashes) & 1) === 0) return quote + 1;
    search = quote + 1;
  }
}

const stack = new Uint8Array(MAX_DEPTH + 1);

/** Offset after the object or array that opens at `at`; `depth` levels are open already. @throws AppError */
export function skipContainer(body: Buffer, at: number, depth: number): number {
  let level = 0;
  for (let i = at; i < body.length;) {
    const byte = body[i] as number;
    if (byte === QUOTE) {
      const end = skipString(body, i);
      seenMarks |= markOf(body, i + 1, end - 1);
      i = end;
      continue;
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (depth + level >= MAX_DEPTH) throw new AppError('json_too_deep');
      stack[level++] = byte;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      // '{' + 2 is '}' and '[' + 2 is ']' in ASCII
      if (stack[--level] !== byte - 2) throw malformed();
      if (level === 0) return i + 1;
    }
    i++;
  }
  throw malformed();
}

/** Offset after any JSON value; numbers and literals are only delimited here. @throws AppError */
export function skipValue(body: Buffer, at: number, depth: number): number {
  const byte = body[at];
  if (byte === QUOTE) return skipString(body, at);
  if (byte === OPEN_BRACE || byte === OPEN_BRACKET) return skipContainer(body, at, depth);
  let i = at;
  while (i < body.length && !isSpace(body[i]) && body[i] !== COMMA && body[i] !== CLOSE_BRACE) i++;
  if (i === at) throw malformed();
  parseSpan(body, { start: at, end: i });
  return i;
}

/**
 * Scans `body` for the fields in `watched`. A watched field that stands there twice is refused: readers disagree about
 * which of the two counts, and a policy must see what the upstream sees.
 * @throws AppError `invalid_json`, `json_too_deep` or `invalid_request`
 */
export function scanObject(body: Buffer, watched: ReadonlySet<string>): ScannedObject {
  const fields = new Map<string, Span>();
  const lengths = lengthsOf(watched);
  let i = skipSpace(body, 0);
  if (body[i] !== OPEN_BRACE) throw malformed();
  i = skipSpace(body, i + 1);
  let isEmpty = true;
  let marks = 0;
  while (body[i] !== CLOSE_BRACE) {
    if (!isEmpty) {
      if (body[i] !== COMMA) throw malformed();
      i = skipSpace(body, i + 1);
    }
    isEmpty = false;
    if (body[i] !== QUOTE) throw malformed();
    const keyEnd = skipString(body, i);
    const key = mayBeWatched(body, i, keyEnd, lengths) ? readKey(body, i, keyEnd) : null;
    i = skipSpace(body, keyEnd);
    if (body[i] !== COLON) throw malformed();
    const start = skipSpace(body, i + 1);
    seenMarks = 0;
    const end = skipValue(body, start, 1);
    marks |= key !== null && CONVERSATION.has(key) ? seenMarks : seenMarks & ~MARK_MEDIA;
    if (key !== null) note(fields, watched, key, { start, end });
    i = skipSpace(body, end);
  }
  if (skipSpace(body, i + 1) !== body.length) throw malformed();
  return { fields, closeAt: i, isEmpty, marks };
}

function note(fields: Map<string, Span>, watched: ReadonlySet<string>, key: string, span: Span): void {
  if (!watched.has(key)) {
    // Some servers match names without regard to case and take the last one: a policy must see what the upstream sees.
    if (!watched.has(key.toLowerCase())) return;
    throw new AppError('invalid_request', { text: `Write "${key}" as "${key.toLowerCase()}".`, param: key });
  }
  if (fields.has(key)) {
    throw new AppError('invalid_request', { text: `The field "${key}" stands twice in the body.`, param: key });
  }
  fields.set(key, span);
}

const knownLengths = new WeakMap<ReadonlySet<string>, number>();

/** The lengths of the names that are looked at, each a bit (they are shorter than 32). */
function lengthsOf(watched: ReadonlySet<string>): number {
  let bits = knownLengths.get(watched);
  if (bits === undefined) {
    bits = 0;
    for (const names of [watched, CONVERSATION]) for (const name of names) bits |= 1 << name.length;
    knownLengths.set(watched, bits);
  }
  return bits;
}

/** Most keys of a body are told by their length alone and never decoded; one with an escape may be shorter than it looks. */
function mayBeWatched(body: Buffer, start: number, end: number, lengths: number): boolean {
  const length = end - start - 2;
  if (length < 32 && ((lengths >>> length) & 1) === 1) return true;
  for (let i = start + 1; i < end - 1; i++) if (body[i] === BACKSLASH) return true;
  return false;
}

function readKey(body: Buffer, start: number, end: number): string {
  const key = body.toString('latin1', start + 1, end - 1);
  // An escaped key ("mod\u0065l") means the same field to the upstream: it must mean the same here.
  return key.includes('\\') ? String(parseSpan(body, { start, end })) : key;
}

/** The value of a span, parsed. @throws AppError `invalid_json` */
export function parseSpan(body: Buffer, span: Span): unknown {
  try {
    return JSON.parse(body.toString('utf8', span.start, span.end)) as unknown;
  } catch {
    throw malformed();
  }
}

/**
 * The elements of the array that lies in `span`, each an object or an array; `null` when something else is among them, or
 * when it is no array. @throws AppError `invalid_json`
 */
export function elementsOf(body: Buffer, span: Span): Span[] | null {
  if (body[span.start] !== OPEN_BRACKET) return null;
  const elements: Span[] = [];
  let i = skipSpace(body, span.start + 1);
  while (body[i] !== CLOSE_BRACKET) {
    if (elements.length > 0) {
      if (body[i] !== COMMA) throw malformed();
      i = skipSpace(body, i + 1);
    }
    if (i >= span.end) throw malformed();
    if (body[i] !== OPEN_BRACE && body[i] !== OPEN_BRACKET) return null;
    const end = skipContainer(body, i, 2);
    elements.push({ start: i, end });
    i = skipSpace(body, end);
  }
  return elements;
}

/** One change of a body's bytes: what lies in `[start, end)` becomes `text`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The body with all edits applied; they must not overlap. Without edits the same Buffer comes back. */
export function splice(body: Buffer, edits: readonly Edit[]): Buffer {
  if (edits.length === 0) return body;
  const parts: Buffer[] = [];
  let at = 0;
  for (const edit of [...edits].sort((a, b) => a.start - b.start)) {
    parts.push(body.subarray(at, edit.start), Buffer.from(edit.text));
    at = edit.end;
  }
  parts.push(body.subarray(at));
  return Buffer.concat(parts);
}

/** The edit that adds a field at the end of a scanned object. */
export function addField(scanned: ScannedObject, name: string, valueJson: string): Edit {
  const comma = scanned.isEmpty ? '' : ',';
  return { start: scanned.closeAt, end: scanned.closeAt, text: `${comma}${JSON.stringify(name)}:${valueJson}` };
}
