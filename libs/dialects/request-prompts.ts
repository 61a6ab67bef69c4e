import { parseSpan, skipSpace, type Span } from './scan.js';

/** What the `prompt` of legacy completions, or the `input` of embeddings, holds. */
export interface Prompts {
  /** Each has answers of its own. */
  readonly count: number;
  /** Tokens given as ids. */
  readonly idTokens: number;
  /** Bytes that these ids take in the body. */
  readonly idBytes: number;
}

const OPEN_BRACKET = 0x5b;

/**
 * A string is one prompt; so is a list of token ids; a list of strings or of lists of ids is as many prompts as it has
 * entries. `null` for what is no list. What is no valid prompt stays text, entry by entry.
 * @throws AppError `invalid_json`
 */
export function promptsIn(body: Buffer, span: Span): Prompts | null {
  if (body[skipSpace(body, span.start)] !== OPEN_BRACKET) return null;
  const list = parseSpan(body, span) as unknown[];
  if (isIds(list)) return { count: 1, idTokens: list.length, idBytes: span.end - span.start };
  if (list.length > 0 && list.every(isIds)) {
    const idTokens = list.reduce<number>((sum, ids) => sum + ids.length, 0);
    return { count: list.length, idTokens, idBytes: span.end - span.start };
  }
  return { count: Math.max(1, list.length), idTokens: 0, idBytes: 0 };
}

function isIds(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length > 0 && value.every((id) => typeof id === 'number');
}
