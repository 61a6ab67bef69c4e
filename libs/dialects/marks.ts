import { MEDIA_WORDS } from './request-media.js';

/**
 * Words that decide what a request may cost, noticed while the scanner skips nested values: one look at a table per string.
 * They are hints: a mark says "look closer", its absence that there is nothing to look for.
 */

/** The body may hold something whose size its bytes do not tell: images, sound, video, files, references to stored items. */
export const MARK_MEDIA = 1;
/** Anthropic: a breakpoint of the prompt cache. */
export const MARK_CACHE = 2;
/** Anthropic: the text `1h`, the longer life of a cache entry. */
export const MARK_ONE_HOUR = 4;
/** A short string spells letters as `\u00xx`: a word could hide in it. */
export const MARK_ESCAPED = 8;

const WORDS: readonly (readonly [string, number])[] = [
  ['cache_control', MARK_CACHE],
  ['1h', MARK_ONE_HOUR],
  ...MEDIA_WORDS.map((word) => [word, MARK_MEDIA] as const),
];

const MARKS = new Map(WORDS);
/** By first byte: bit n is set when a word begins so and its second byte ends in n (mod 32). 0: no word begins so. */
const SECONDS = new Uint32Array(256);
/** By first byte: bit n is set when a word that begins so has n bytes. */
const LENGTHS = new Uint32Array(256);
for (const [word] of WORDS) {
  const first = word.charCodeAt(0);
  SECONDS[first] = (SECONDS[first] as number) | (1 << (word.charCodeAt(1) & 31));
  LENGTHS[first] = (LENGTHS[first] as number) | (1 << word.length);
}

/** The mark of the string whose bytes are `[start, end)`, 0 for most. */
export function markOf(body: Buffer, start: number, end: number): number {
  const first = body[start] as number;
  const seconds = SECONDS[first] as number;
  if (seconds === 0 || ((seconds >>> ((body[start + 1] as number) & 31)) & 1) === 0) return 0;
  const length = end - start;
  if (length > 31 || (((LENGTHS[first] as number) >>> length) & 1) === 0) return 0;
  return MARKS.get(body.toString('latin1', start, end)) ?? 0;
}

const LETTER_U = 0x75;
const ZERO = 0x30;
const FOUR = 0x34;
const SEVEN = 0x37;

/** `MARK_ESCAPED` when the backslash at `at` begins the escape of an ASCII letter or sign, else 0. */
export function escapeMark(body: Buffer, at: number): number {
  if (body[at + 1] !== LETTER_U || body[at + 2] !== ZERO || body[at + 3] !== ZERO) return 0;
  const digit = body[at + 4] as number;
  return digit >= FOUR && digit <= SEVEN ? MARK_ESCAPED : 0;
}
