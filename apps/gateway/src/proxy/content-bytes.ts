import type { Operation } from '#libs/dialects/index.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const LF = 0x0a;
const SPACE = 0x20;
const LETTER_U = 0x75;
const MAX_NAME_BYTES = 24;
/** A letter that is written as `\uXXXX` is at most as long in UTF-8. */
const ESCAPED_BYTES = 3;

const ENDS_STRING = new Uint8Array(256);
for (const byte of [QUOTE, BACKSLASH, LF]) ENDS_STRING[byte] = 1;

/** What a member's value is: text; a thought; maybe the same thought under another name; a JSON object that a model wrote. */
type Kind = 'text' | 'thought' | 'again' | 'object';

const names = (text: readonly string[], more: readonly (readonly [string, Kind])[] = []): ReadonlyMap<string, Kind> =>
  new Map([...text.map((name): [string, Kind] => [name, 'text']), ...more]);

/** Members that hold what a model wrote. Some servers send reasoning under both of its names. */
const CHAT = names(
  ['content', 'refusal', 'arguments'],
  [
    ['reasoning_content', 'thought'],
    ['reasoning', 'again'],
  ],
);
const GEMINI = names(['text', 'code'], [['args', 'object']]);
const MEMBERS: Readonly<Partial<Record<Operation, ReadonlyMap<string, Kind>>>> = {
  completions: names(['text']),
  responses: names(['delta']), // later events repeat the whole text under other names
  messages: names(['text', 'thinking', 'partial_json']),
  generate: GEMINI,
  stream_generate: GEMINI,
};

/**
 * Counts the bytes of content in a stream without parsing it: at least as many as it has visible tokens, since no token is
 * shorter than a byte. Escapes count as what they stand for. Pieces may be cut anywhere: in events or in a JSON array.
 */
export class ContentBytes {
  readonly #members: ReadonlyMap<string, Kind>;
  /** Lengths of the names, each a bit. */
  #lengths = 0;
  #text = 0;
  #thought = 0;
  #again = 0;
  readonly #name = Buffer.alloc(MAX_NAME_BYTES);
  #nameBytes = 0;
  #isInString = false;
  #isEscaped = false;
  #hexLeft = 0;
  /** What the value behind the last colon is; `null`: nothing that counts. */
  #kind: Kind | null = null;
  /** Braces that are open inside an object that counts. */
  #depth = 0;

  constructor(operation: Operation) {
    this.#members = MEMBERS[operation] ?? CHAT;
    for (const name of this.#members.keys()) this.#lengths |= 1 << name.length;
  }

  get bytes(): number {
    return this.#text + Math.max(this.#thought, this.#again);
  }

  push(piece: Buffer): void {
    for (let i = 0; i < piece.length; i++) {
      const byte = piece[i] as number;
      if (this.#isInString) this.#inString(byte);
      else if (byte === QUOTE && this.#depth === 0) i = this.#string(piece, i);
      else if (byte >= COLON || this.#kind !== null) this.#between(byte);
    }
  }

  /** A string that is here as a whole and without escapes, as nearly all are; else it is read byte by byte. */
  #string(piece: Buffer, at: number): number {
    let end = at + 1;
    while (end < piece.length && !ENDS_STRING[piece[end] as number]) end++;
    const next = piece[end] === QUOTE ? (piece[end + 1] ?? SPACE) : SPACE;
    if (next <= SPACE) {
      this.#between(QUOTE);
      return at;
    }
    const bytes = end - at - 1;
    if (next === COLON) {
      const mayBe = bytes < MAX_NAME_BYTES && ((this.#lengths >>> bytes) & 1) === 1;
      this.#kind = mayBe ? (this.#members.get(piece.toString('latin1', at + 1, end)) ?? null) : null;
      return end + 1;
    }
    if (this.#kind !== 'object') this.#add(bytes);
    this.#kind = null;
    return end;
  }

  #inString(byte: number): void {
    if (this.#hexLeft > 0) this.#hexLeft -= 1;
    else if (this.#isEscaped) {
      this.#isEscaped = false;
      if (byte === LETTER_U) this.#hexLeft = 4;
      this.#add(byte === LETTER_U ? ESCAPED_BYTES : 1);
    } else if (byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE || byte === LF) {
      // No JSON text has a line end inside of a string: it was none.
      this.#isInString = false;
      if (this.#depth === 0) this.#kind = null;
      else this.#add(1);
    } else {
      if (this.#kind === null && this.#nameBytes < MAX_NAME_BYTES) this.#name[this.#nameBytes++] = byte;
      this.#add(1);
    }
  }

  #between(byte: number): void {
    if (byte === QUOTE) {
      this.#isInString = true;
      this.#nameBytes = 0;
      if (this.#depth > 0) this.#add(1);
      else if (this.#kind === 'object') this.#kind = null;
    } else if (this.#depth > 0) {
      this.#add(byte > SPACE ? 1 : 0);
      if (byte === OPEN_BRACE) this.#depth += 1;
      else if (byte === CLOSE_BRACE && (this.#depth -= 1) === 0) this.#kind = null;
    } else if (byte === COLON) {
      this.#kind = this.#members.get(this.#name.toString('latin1', 0, this.#nameBytes)) ?? null;
    } else if (byte > SPACE) {
      if (byte === OPEN_BRACE && this.#kind === 'object') {
        this.#depth = 1;
        this.#add(1);
      } else this.#kind = null;
    }
  }

  #add(bytes: number): void {
    if (this.#kind === 'again') this.#again += bytes;
    else if (this.#kind === 'thought') this.#thought += bytes;
    else if (this.#kind !== null) this.#text += bytes;
  }
}
