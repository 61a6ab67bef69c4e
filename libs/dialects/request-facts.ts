import type { DialectName, Operation } from './dialect.js';
import { MARK_CACHE, MARK_ESCAPED, MARK_MEDIA, MARK_ONE_HOUR } from './marks.js';
import { type ChatMaximum, geminiMaximum, maximumNames } from './max-tokens.js';
import { promptsIn } from './request-prompts.js';
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
  /** Bytes of the body without the base64 of media and without prompts that are token ids. */
  readonly textBytes: number;
  /** Tokens of the prompt that are given as ids. */
  readonly idTokens: number;
  /** The largest of the maxima stated under names that the provider reads; `null`: none that can be relied on. */
  readonly maxTokens: number | null;
  /** A maximum under a name that only some servers read: what the caller wishes, but no bound. */
  readonly wishedTokens: number | null;
  /** Output tokens below which the provider refuses the request (a thinking budget). */
  readonly leastTokens: number;
  /** Answers asked for: `n`, `best_of`, `candidateCount`, times the prompts of a batch. */
  readonly answers: number;
  /** The field that states how many answers there will be in a way servers may understand differently; `null`: none. */
  readonly unclearAnswers: string | null;
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
 * @param chat the maximum that the provider reads in chat requests; the older name is read by all of them
 * @throws AppError `invalid_json` for a value that is none
 */
export function requestFacts(
  operation: Operation,
  body: Buffer,
  scanned: ScannedObject,
  chat: ChatMaximum = 'max_tokens',
): RequestFacts {
  if ((scanned.marks & MARK_ESCAPED) !== 0) {
    // A word may hide in escapes: read the plainest spelling of the same request instead.
    const plain = Buffer.from(JSON.stringify(parseSpan(body, { start: 0, end: body.length })));
    const { textBytes, ...facts } = factsOf(operation, plain, scanObject(plain, ALL_FIELDS), chat);
    return { ...facts, textBytes: Math.max(textBytes, body.length - (plain.length - textBytes)) };
  }
  return factsOf(operation, body, scanned, chat);
}

const ALL_FIELDS: ReadonlySet<string> = new Set(Object.values(REQUEST_FIELDS).flatMap((fields) => [...fields]));

function factsOf(operation: Operation, body: Buffer, scanned: ScannedObject, chat: ChatMaximum): RequestFacts {
  const whole = { start: 0, end: body.length };
  const media = (scanned.marks & MARK_MEDIA) === 0 ? null : mediaIn(parseSpan(body, whole), dialectOf(operation));
  const fields = new Fields(body, scanned);
  const serverTools = serverToolsIn(body, scanned.fields.get('tools'));
  const shared = {
    operation,
    textBytes: body.length - (media?.payloadBytes ?? 0),
    idTokens: 0,
    media: media !== null && media.images + media.others + media.sounds === 0 && !media.stored ? null : media,
    hasTools: fields.has('tools'),
    serverTools: [...serverTools, ...toolsBeside(fields)],
  };
  switch (dialectOf(operation)) {
    case 'anthropic':
      return { ...shared, ...anthropicFacts(fields, scanned.marks) };
    case 'gemini':
      return { ...shared, ...geminiFacts(fields, body, scanned) };
    default:
      return withPrompts({ ...shared, ...openaiFacts(fields, operation, chat) }, body, scanned);
  }
}

function dialectOf(operation: Operation): DialectName {
  switch (operation) {
    case 'messages':
    case 'count_tokens':
      return 'anthropic';
    case 'generate':
    case 'stream_generate':
    case 'gemini_count_tokens':
    case 'gemini_embed':
    case 'gemini_batch_embed':
      return 'gemini';
    default:
      return 'openai';
  }
}

/** Legacy completions answer each prompt of a list; their prompts, like the inputs of embeddings, may be token ids. */
function withPrompts(facts: RequestFacts, body: Buffer, { fields }: ScannedObject): RequestFacts {
  const isCompletion = facts.operation === 'completions';
  const span = isCompletion ? fields.get('prompt') : facts.operation === 'embeddings' ? fields.get('input') : undefined;
  const prompts = span === undefined ? null : promptsIn(body, span);
  if (prompts === null) return facts;
  return {
    ...facts,
    answers: isCompletion ? facts.answers * prompts.count : facts.answers,
    textBytes: facts.textBytes - prompts.idBytes,
    idTokens: prompts.idTokens,
  };
}

/** Tools of the provider that are asked for outside `tools`. */
function toolsBeside(fields: Fields): readonly ServerTool[] {
  const none = { model: null, maxContentTokens: null };
  if (fields.has('web_search_options')) return [{ ...none, kind: 'web_search', maxUses: 1 }];
  return fields.bytes('mcp_servers') > 2 ? [{ ...none, kind: 'mcp', maxUses: null }] : [];
}

type DialectFacts = Omit<RequestFacts, 'operation' | 'textBytes' | 'idTokens' | 'media' | 'hasTools' | 'serverTools'>;

const NONE = {
  leastTokens: 0,
  wishedTokens: null,
  unclearAnswers: null,
  region: null,
  cacheWrites: 'none',
  maxToolCalls: null,
  storedInput: false,
  predictedBytes: 0,
  asksForAudio: false,
  compacts: false,
  fallbacks: [] as readonly string[],
} as const;

function openaiFacts(fields: Fields, operation: Operation, chat: ChatMaximum): DialectFacts {
  const isResponse = operation === 'responses';
  const counted = operation === 'chat' || operation === 'completions';
  const names = maximumNames(operation, chat);
  const keepsLonger = fields.has('prompt_cache_retention') || fields.has('prompt_cache_options');
  return {
    ...NONE,
    // A server that reads the other name as well may take the larger one.
    maxTokens: fields.maximum(names.read) === null ? null : fields.maximum([...names.read, ...names.also]),
    wishedTokens: fields.maximum(names.also),
    answers: counted ? Math.max(1, fields.count('n') ?? 1, fields.count('best_of') ?? 1) : 1,
    unclearAnswers: counted ? (['n', 'best_of'].find((name) => fields.isUnclearCount(name)) ?? null) : null,
    serviceTier: fields.tier('service_tier'),
    cacheWrites: keepsLonger ? 'long' : 'short',
    maxToolCalls: fields.count('max_tool_calls'),
    storedInput:
      fields.has('previous_response_id') || fields.has('conversation') || (isResponse && fields.has('prompt')),
    predictedBytes: fields.bytes('prediction'),
    asksForAudio: fields.includes('modalities', 'audio'),
    compacts: fields.includes('context_management', 'compact'),
    fallbacks: ['models', 'route', 'plugins'].some((name) => fields.has(name)) ? 'unknown' : NONE.fallbacks,
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
    unclearAnswers: maximum.isUnclear ? 'generationConfig.candidateCount' : null,
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

  /** Something stands there that is no positive whole number in plain digits. */
  isUnclearCount(name: string): boolean {
    return this.has(name) && (this.count(name) ?? 0) === 0;
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
