import { skipSpace, skipString, skipValue, type Span } from './scan.js';

/** A tool that the provider runs, as far as the bill is concerned. */
export interface ServerTool {
  /** Its `type` (OpenAI, Anthropic) or its name (Gemini), such as `web_search_20250305` or `googleSearch`. */
  readonly kind: string;
  /** Most runs the request allows; `null`: it does not say. */
  readonly maxUses: number | null;
  /** Another model that the tool asks (Anthropic's adviser, OpenAI's image model). */
  readonly model: string | null;
  /** Most tokens of one result, where the request limits that. */
  readonly maxContentTokens: number | null;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Tools that the caller runs: they cost nothing but the text of their definitions. */
const CLIENT_TYPES =
  /^(function|custom|namespace|local_shell|apply_patch|computer_use_preview|computer|((bash|text_editor|computer|memory|browser_toolset|browser)(_\d{8})?))$/;
/** Members of an entry of Gemini's list that name no tool of the provider. */
const CLIENT_MEMBERS = new Set(['functionDeclarations', 'function_declarations', 'computerUse', 'computer_use']);

/**
 * The server tools of a `tools` array, found without parsing the definitions of all the others. Entries of Gemini have no
 * `type` and one member per tool; entries of the others have a `type` where they are not plain functions.
 * @throws AppError `invalid_json`
 */
export function serverToolsIn(body: Buffer, span: Span | undefined): readonly ServerTool[] {
  if (span === undefined || body[span.start] !== OPEN_BRACKET) return [];
  const tools: ServerTool[] = [];
  let i = skipSpace(body, span.start + 1);
  while (i < span.end && body[i] !== CLOSE_BRACKET) {
    if (body[i] === COMMA) i = skipSpace(body, i + 1);
    if (body[i] !== OPEN_BRACE) {
      i = skipSpace(body, skipScalar(body, i, span.end));
      continue;
    }
    i = skipSpace(body, readEntry(body, i, tools));
  }
  return tools;
}

/** What is no object is for the provider to refuse. */
function skipScalar(body: Buffer, at: number, end: number): number {
  if (body[at] === QUOTE || body[at] === OPEN_BRACKET) return skipValue(body, at, 2);
  let i = at + 1;
  while (i < end && body[i] !== COMMA && body[i] !== CLOSE_BRACKET) i++;
  return i;
}

/** Reads one entry and adds its tools; returns the offset after it. */
function readEntry(body: Buffer, at: number, tools: ServerTool[]): number {
  let type: string | null = null;
  let isPlain = false;
  const members: string[] = [];
  const values = new Map<string, unknown>();
  let i = skipSpace(body, at + 1);
  while (body[i] !== CLOSE_BRACE) {
    if (body[i] === COMMA) i = skipSpace(body, i + 1);
    const keyEnd = skipString(body, i);
    const key = textOf(body, i, keyEnd);
    i = skipSpace(body, keyEnd);
    if (body[i] !== COLON) break;
    const start = skipSpace(body, i + 1);
    const end = skipValue(body, start, 3);
    if (key === 'type') type = String(valueOf(body, start, end));
    else if (VALUES.has(key)) values.set(key, valueOf(body, start, end));
    else if (PLAIN.has(key)) isPlain = true;
    else members.push(key);
    i = skipSpace(body, end);
  }
  if (type !== null) {
    if (!CLIENT_TYPES.test(type)) tools.push(toolOf(type, values));
  } else if (!isPlain) {
    for (const member of members) if (!CLIENT_MEMBERS.has(member)) tools.push(toolOf(member, values));
  }
  return i + 1;
}

/** Members that say what a server tool may do. */
const VALUES = new Set(['max_uses', 'model', 'max_content_tokens']);
/** Members of a plain function's definition. */
const PLAIN = new Set(['name', 'function', 'input_schema', 'parameters']);

function toolOf(kind: string, values: ReadonlyMap<string, unknown>): ServerTool {
  const count = (name: string): number | null => {
    const value = values.get(name);
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
  };
  const model = values.get('model');
  return {
    kind,
    maxUses: count('max_uses'),
    model: typeof model === 'string' ? model : null,
    maxContentTokens: count('max_content_tokens'),
  };
}

function textOf(body: Buffer, start: number, end: number): string {
  const text = body.toString('latin1', start + 1, end - 1);
  return text.includes('\\') ? String(valueOf(body, start, end)) : text;
}

function valueOf(body: Buffer, start: number, end: number): unknown {
  try {
    return JSON.parse(body.toString('utf8', start, end)) as unknown;
  } catch {
    return null;
  }
}
