import type { Operation } from './dialect.js';
import { MARK_CACHE, MARK_ESCAPED, MARK_MEDIA, MARK_ONE_HOUR } from './marks.js';
import { geminiMaximum } from './max-tokens.js';
import { mediaIn, type MediaFacts } from './request-media.js';
import { serverToolsIn, type ServerTool } from './request-tools.js';
import { REQUEST_FIELDS } from './request-fields.js';
import { parseSpan, scanObject, type ScannedObject, type Span } from './scan.js';
import { nested } from './usage.js';

/**
 * What a request says about the largest bill it can run up. Nothing here is a token count of the prompt: that is bounded by
 * `textBytes`, since no tokenizer makes more tokens than bytes.
 */
export interface RequestFacts {
  readonly operation: Operation;
  /** Bytes of the body without the base64 of media. */
  readonly textBytes: number;
  /** The largest of the maxima the request states; `null`: none that can be relied on. */
  readonly maxTokens: number | null;
  /** Output tokens below which the provider refuses the request (a thinking budget). */
  readonly leastTokens: number;
  /** Answers asked for: `n`, `best_of`, `candidateCount`. */
  readonly answers: number;
  /** Tier asked for, in lower case; `null`: none, or left to the provider. */
  readonly serviceTier: string | null;
  /** Anthropic's `inference_geo`. */
  readonly region: string | null;
  readonly cacheWrites: 'none' | 'short' | 'long';
  readonly hasTools: boolean;
  /** Tools that the provider runs. */
  readonly serverTools: readonly ServerTool[];
  /** Most runs of them all together, where the request limits that. */
  readonly maxToolCalls: number | null;
  readonly media: MediaFacts | null;
  /** The provider adds something to the prompt that only it knows: an earlier answer, a cached document, a template. */
  readonly storedInput: boolean;
  /** Bytes of a predicted answer: tokens of it that do not fit are billed on top. */
  readonly predictedBytes: number;
  /** The answer may hold sound. */
  readonly asksForAudio: boolean;
  /** The provider may summarise the conversation on the way, for a bill of its own. */
  readonly compacts: boolean;
  /** Models the provider may fall back to by itself; `unknown`: it chooses them. */
  readonly fallbacks: readonly string[] | 'unknown';
}

/**
 * Reads the facts from a scanned body without parsing it. Only when the scan saw a word that may stand for media, or a word
 * spelled in escapes, the body is parsed.
 * @throws AppError `invalid_json` for a value that is none
 */
export function requestFacts(operation: Operation, body: Buffer, scanned: ScannedObject): RequestFacts {
  if ((scanned.marks & MARK_ESCAPED) !== 0) {
    // A word may hide in escapes: read the plainest spelling of the same request instead.
    const plain = Buffer.from(JSON.stringify(parseSpan(body, { start: 0, end: body.length })));
    const { textBytes, ...facts } = factsOf(operation, plain, scanObject(plain, ALL_FIELDS));
    return { ...facts, textBytes: Math.max(textBytes, body.length - (plain.length - textBytes)) };
  }
  return factsOf(operation, body, scanned);
}

const ALL_FIELDS: ReadonlySet<string> = new Set(Object.values(REQUEST_FIELDS).flatMap((fields) => [...fields]));

function factsOf(operation: Operation, body: Buffer, scanned: ScannedObject): RequestFacts {
  const media = (scanned.marks & MARK_MEDIA) === 0 ? null : mediaIn(parseSpan(body, { start: 0, end: body.length }));
  const fields = new Fields(body, scanned);
  const serverTools = serverToolsIn(body, scanned.fields.get('tools'));
  const shared = {
    operation,
    textBytes: body.length - (media?.payloadBytes ?? 0),
    media: media !== null && media.images + media.others + media.sounds === 0 && !media.stored ? null : media,
    hasTools: fields.has('tools'),
    serverTools: [...serverTools, ...toolsBeside(fields)],
  };
  switch (operation) {
    case 'messages':
    case 'count_tokens':
      return { ...shared, ...anthropicFacts(fields, scanned.marks) };
    case 'generate':
    case 'stream_generate':
    case 'gemini_count_tokens':
    case 'gemini_embed':
    case 'gemini_batch_embed':
      return { ...shared, ...geminiFacts(fields, body, scanned) };
    default:
      return { ...shared, ...openaiFacts(fields, operation) };
  }
}

/** Tools of the provider that are asked for outside `tools`. */
function toolsBeside(fields: Fields): readonly ServerTool[] {
  const none = { model: null, maxContentTokens: null };
  if (fields.has('web_search_options')) return [{ ...none, kind: 'web_search', maxUses: 1 }];
  return fields.bytes('mcp_servers') > 2 ? [{ ...none, kind: 'mcp', maxUses: null }] : [];
}

type DialectFacts = Omit<RequestFacts, 'operation' | 'textBytes' | 'media' | 'hasTools' | 'serverTools'>;

const NONE = {
  leastTokens: 0,
  region: null,
  cacheWrites: 'none',
  maxToolCalls: null,
  storedInput: false,
  predictedBytes: 0,
  asksForAudio: false,
  compacts: false,
  fallbacks: [] as readonly string[],
} as const;

function openaiFacts(fields: Fields, operation: Operation): DialectFacts {
  const isResponse = operation === 'responses';
  const keepsLonger = fields.has('prompt_cache_retention') || fields.has('prompt_cache_options');
  return {
    ...NONE,
    maxTokens: fields.maximum(['max_tokens', 'max_completion_tokens', 'max_output_tokens']),
    answers: Math.max(1, fields.count('n') ?? 1, fields.count('best_of') ?? 1),
    serviceTier: fields.tier('service_tier'),
    cacheWrites: keepsLonger ? 'long' : 'short',
    maxToolCalls: fields.count('max_tool_calls'),
    storedInput:
      fields.has('previous_response_id') || fields.has('conversation') || (isResponse && fields.has('prompt')),
    predictedBytes: fields.bytes('prediction'),
    asksForAudio: fields.includes('modalities', 'audio'),
    compacts: fields.includes('context_management', 'compact'),
  };
}

function anthropicFacts(fields: Fields, marks: number): DialectFacts {
  const caches = (marks & MARK_CACHE) !== 0 || fields.has('cache_control');
  const budget = nested(fields.value('thinking')).budget_tokens;
  return {
    ...NONE,
    maxTokens: fields.maximum(['max_tokens']),
    leastTokens: typeof budget === 'number' && Number.isSafeInteger(budget) && budget > 0 ? budget + 1 : 0,
    answers: 1,
    serviceTier: fields.text('speed') === 'fast' ? 'fast' : null,
    region: fields.text('inference_geo'),
    cacheWrites: !caches ? 'none' : (marks & MARK_ONE_HOUR) !== 0 ? 'long' : 'short',
    // A container keeps files of before; a thread keeps the whole conversation.
    storedInput: fields.has('thread') || fields.has('container'),
    compacts: fields.includes('context_management', 'compact'),
    fallbacks: fallbacksOf(fields.value('fallbacks')),
  };
}

function geminiFacts(fields: Fields, body: Buffer, scanned: ScannedObject): DialectFacts {
  const maximum = geminiMaximum(body, scanned);
  return {
    ...NONE,
    maxTokens: maximum.tokens,
    answers: Math.max(1, maximum.candidates ?? 1),
    serviceTier: fields.tier('serviceTier') ?? fields.tier('service_tier'),
    storedInput: fields.has('cachedContent') || fields.has('cached_content'),
    asksForAudio: maximum.asksForAudio,
  };
}

function fallbacksOf(value: unknown): readonly string[] | 'unknown' {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) return 'unknown';
  const models = value.map((entry) => nested(entry).model);
  return models.every((model) => typeof model === 'string') ? models : 'unknown';
}

/** Reads single fields of a scanned body. `null` counts as absent, as it does upstream. */
class Fields {
  readonly #body: Buffer;
  readonly #fields: ReadonlyMap<string, Span>;

  constructor(body: Buffer, { fields }: ScannedObject) {
    this.#body = body;
    this.#fields = fields;
  }

  value(name: string): unknown {
    const span = this.#fields.get(name);
    return span === undefined ? undefined : parseSpan(this.#body, span);
  }

  has(name: string): boolean {
    const span = this.#fields.get(name);
    return span !== undefined && !isNull(this.#body, span);
  }

  /** The largest number under any of the names; `null` when none is there, or one that servers may understand differently. */
  maximum(names: readonly string[]): number | null {
    let most: number | null = null;
    for (const name of names) {
      if (!this.has(name)) continue;
      const stated = this.count(name);
      if (stated === null) return null;
      most = Math.max(most ?? 0, stated);
    }
    return most;
  }

  /** A whole number; `null` for anything else. */
  count(name: string): number | null {
    const span = this.#fields.get(name);
    return span === undefined ? null : countIn(this.#body, span);
  }

  text(name: string): string | null {
    const value = this.#fields.has(name) ? this.value(name) : null;
    return typeof value === 'string' ? value.toLowerCase() : null;
  }

  /** `auto` and the standard tier under its names: left to the provider. */
  tier(name: string): string | null {
    const tier = this.text(name);
    return tier === null || tier === 'auto' || tier === 'default' || tier === 'standard' ? null : tier;
  }

  bytes(name: string): number {
    const span = this.#fields.get(name);
    return span === undefined || isNull(this.#body, span) ? 0 : span.end - span.start;
  }

  /** Whether the bytes of a field hold a word anywhere. */
  includes(name: string, word: string): boolean {
    const span = this.#fields.get(name);
    return span !== undefined && this.#body.subarray(span.start, span.end).includes(word);
  }
}

const LETTER_N = 0x6e;
const DIGITS = 15;

function isNull(body: Buffer, { start }: Span): boolean {
  return body[start] === LETTER_N;
}

/** A whole number of at most 15 digits, without parsing; `null` for everything else. */
export function countIn(body: Buffer, { start, end }: Span): number | null {
  if (end - start > DIGITS) return null;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = (body[i] as number) - 0x30;
    if (digit < 0 || digit > 9) return null;
    value = value * 10 + digit;
  }
  return value;
}
