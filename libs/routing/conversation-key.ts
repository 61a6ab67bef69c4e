import { createHash } from 'node:crypto';
import { scanObject, type Span } from '#libs/dialects/index.js';

const SYSTEM = ['system', 'instructions', 'systemInstruction', 'system_instruction'] as const;
const TURNS = ['messages', 'input', 'contents'] as const;
const WATCHED: ReadonlySet<string> = new Set([...SYSTEM, ...TURNS, 'prompt_cache_key']);

/** Of each part, so that a long prompt costs no more than a short one. */
const MOST_BYTES = 4096;
/** The first turns are looked through for the first one of the user. */
const MOST_TURNS = 6;

/**
 * A key that all requests of one conversation share and no other conversation has, for `RouteContext.affinityKey`: made of who
 * calls and of what stays the same from turn to turn, that is the system prompt and the turns up to the first of the user.
 * A session the client names itself, or OpenAI's `prompt_cache_key`, goes before that. `null` when there is nothing to go by.
 *
 * @param owner id of the virtual key: conversations of different keys are never the same
 * @param session such as `x-claude-code-session-id`
 * @param body JSON of any dialect; a malformed one has no key
 */
export function conversationKey(owner: string, session: string | null, body: Buffer): string | null {
  const hash = createHash('sha256').update(owner).update('\n');
  if (session !== null && session !== '') return hash.update(session.slice(0, 256)).digest('base64url');
  let fields: ReadonlyMap<string, Span>;
  try {
    fields = scanObject(body, WATCHED).fields;
  } catch {
    return null;
  }
  const cacheKey = fields.get('prompt_cache_key');
  if (cacheKey !== undefined && body[cacheKey.start] === QUOTE)
    return hash.update(part(body, cacheKey)).digest('base64url');
  let isEmpty = true;
  for (const name of SYSTEM) {
    const span = fields.get(name);
    if (span !== undefined) hash.update(part(body, span));
  }
  for (const name of TURNS) {
    const span = fields.get(name);
    if (span === undefined) continue;
    isEmpty = false;
    hash.update(part(body, { start: span.start, end: endOfOpening(body, span) }));
  }
  return isEmpty ? null : hash.digest('base64url');
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;

function part(body: Buffer, { start, end }: Span): Buffer {
  return body.subarray(start, Math.min(end, start + MOST_BYTES));
}

/** Where the first turn of the user ends in a list of turns; of a text, its end. */
function endOfOpening(body: Buffer, span: Span): number {
  if (body[span.start] !== OPEN_BRACKET) return span.end;
  let at = span.start + 1;
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const end = endOfElement(body, at, span.end);
    if (/"role"\s*:\s*"user"/.test(body.toString('latin1', at, Math.min(end, at + MOST_BYTES)))) return end;
    if (end - span.start > MOST_BYTES || body[end] !== 0x2c) return end;
    at = end + 1;
  }
  return at;
}

/** Offset of the comma or bracket that ends the list's element that begins at `at`. The body is well-formed: it was scanned. */
function endOfElement(body: Buffer, at: number, end: number): number {
  let depth = 0;
  for (let i = at; i < end; i++) {
    const byte = body[i];
    if (byte === QUOTE) {
      for (i++; i < end && body[i] !== QUOTE; i++) if (body[i] === BACKSLASH) i++;
    } else if (byte === 0x7b || byte === OPEN_BRACKET) depth++;
    else if (byte === 0x7d || byte === 0x5d) {
      if (depth === 0) return i;
      depth--;
    } else if (byte === 0x2c && depth === 0) return i;
  }
  return end;
}
