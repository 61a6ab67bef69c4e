import type { Operation } from './dialect.js';
import { addField, parseSpan, scanObject, type Edit, type ScannedObject, type Span } from './scan.js';

/** How a chat request names its maximum: OpenAI's own API wants the newer name, compatible servers know the older one. */
export type ChatMaximum = 'max_completion_tokens' | 'max_tokens';

/** The names under which a maximum is read; `also`: names that some servers read and others do not know. */
interface MaximumNames {
  readonly read: readonly string[];
  readonly also: readonly string[];
}

const NAMES: Readonly<Partial<Record<Operation, MaximumNames>>> = {
  messages: { read: ['max_tokens'], also: [] },
  responses: { read: ['max_output_tokens'], also: [] },
  completions: { read: ['max_tokens'], also: [] },
};
const CHAT_NAMES: Readonly<Record<ChatMaximum, MaximumNames>> = {
  max_completion_tokens: { read: ['max_completion_tokens', 'max_tokens'], also: [] },
  max_tokens: { read: ['max_tokens'], also: ['max_completion_tokens'] },
};
const NO_NAMES: MaximumNames = { read: [], also: [] };

/**
 * How an operation names its maximum of output tokens. A number under any other name limits nothing: OpenAI refuses it,
 * compatible servers pass over it in silence.
 */
export function maximumNames(operation: Operation, chat: ChatMaximum): MaximumNames {
  return operation === 'chat' ? CHAT_NAMES[chat] : (NAMES[operation] ?? NO_NAMES);
}

/**
 * The edits that make a request ask for at most `tokens` output tokens: what states a maximum under a name that the provider
 * reads, or may read, is replaced, and the field is added where none does. Names differ by dialect: chat and completions,
 * `max_output_tokens` for Responses, Anthropic's `max_tokens`, Gemini's `generationConfig.maxOutputTokens`.
 */
export function maxTokensEdits(
  operation: Operation,
  body: Buffer,
  scanned: ScannedObject,
  tokens: number,
  chat: ChatMaximum,
): readonly Edit[] {
  const value = String(tokens);
  if (operation === 'generate' || operation === 'stream_generate') return geminiEdits(body, scanned, value);
  const { read, also } = maximumNames(operation, chat);
  const [own] = read;
  if (own === undefined) return []; // no output, or none that is billed
  const { fields } = scanned;
  const isStated = (name: string): boolean => {
    const span = fields.get(name);
    return span !== undefined && body[span.start] !== LETTER_N; // `null` is as good as absent
  };
  const edits = [...read, ...also].filter(isStated).map((name) => ({ ...(fields.get(name) as Span), text: value }));
  if (read.some(isStated)) return edits;
  const empty = fields.get(own);
  return [...edits, empty === undefined ? addField(scanned, own, value) : { ...empty, text: value }];
}

const CONFIG_NAMES = ['generationConfig', 'generation_config'] as const;
const MAXIMUM_NAMES = ['maxOutputTokens', 'max_output_tokens'] as const;
const CONFIG_FIELDS: ReadonlySet<string> = new Set([
  ...MAXIMUM_NAMES,
  'candidateCount',
  'candidate_count',
  'responseModalities',
  'response_modalities',
  'speechConfig',
  'speech_config',
]);

/** What Gemini's generation configuration says; both spellings of a name mean the same. */
export interface GeminiMaximum {
  readonly tokens: number | null;
  readonly candidates: number | null;
  /** A number of answers is stated that is no plain positive integer. */
  readonly isUnclear: boolean;
  readonly asksForAudio: boolean;
}

/** @throws AppError `invalid_json` */
export function geminiMaximum(body: Buffer, scanned: ScannedObject): GeminiMaximum {
  const maxima: number[] = [];
  const candidates: number[] = [];
  let asksForAudio = false;
  let isUnusable = false;
  let isUnclear = false;
  for (const { config, inside } of configsOf(body, scanned)) {
    for (const [name, span] of inside.fields) {
      const value = parseSpan(config, span);
      if (name.startsWith('max') && value !== null) {
        if (isCount(value)) maxima.push(value);
        else isUnusable = true;
      } else if (name.startsWith('candidate') && value !== null) {
        if (isCount(value) && value > 0) candidates.push(value);
        else isUnclear = true;
      } else if (name.startsWith('speech')) asksForAudio = true;
      else if (name.startsWith('response')) asksForAudio ||= JSON.stringify(value).includes('AUDIO');
    }
  }
  return {
    tokens: isUnusable || maxima.length === 0 ? null : Math.max(...maxima),
    candidates: candidates.length === 0 ? null : Math.max(...candidates),
    isUnclear,
    asksForAudio,
  };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

interface FoundConfig {
  readonly span: Span;
  readonly config: Buffer;
  readonly inside: ScannedObject;
}

function configsOf(body: Buffer, { fields }: ScannedObject): readonly FoundConfig[] {
  const found: FoundConfig[] = [];
  for (const name of CONFIG_NAMES) {
    const span = fields.get(name);
    if (span === undefined || body[span.start] !== OPEN_BRACE) continue;
    const config = body.subarray(span.start, span.end);
    found.push({ span, config, inside: scanObject(config, CONFIG_FIELDS) });
  }
  return found;
}

const OPEN_BRACE = 0x7b;

function geminiEdits(body: Buffer, scanned: ScannedObject, value: string): readonly Edit[] {
  const configs = configsOf(body, scanned);
  const [first] = configs;
  if (first === undefined) {
    const present = CONFIG_NAMES.map((name) => scanned.fields.get(name)).find((span) => span !== undefined);
    // `null`, or something that the provider refuses in its own words.
    if (present !== undefined && body[present.start] !== LETTER_N) return [];
    const config = `{"maxOutputTokens":${value}}`;
    return present === undefined ? [addField(scanned, 'generationConfig', config)] : [{ ...present, text: config }];
  }
  const edits = configs.flatMap(({ span, inside }) =>
    MAXIMUM_NAMES.flatMap((name) => {
      const at = inside.fields.get(name);
      return at === undefined ? [] : [{ start: span.start + at.start, end: span.start + at.end, text: value }];
    }),
  );
  if (edits.length > 0) return edits;
  const added = addField(first.inside, 'maxOutputTokens', value);
  return [{ start: first.span.start + added.start, end: first.span.start + added.end, text: added.text }];
}

const LETTER_N = 0x6e;
