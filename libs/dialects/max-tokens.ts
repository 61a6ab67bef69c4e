import type { Operation } from './dialect.js';
import { addField, parseSpan, scanObject, type Edit, type ScannedObject, type Span } from './scan.js';

/** How a chat request names its maximum: OpenAI's own API wants the newer name, compatible servers know the older one. */
export type ChatMaximum = 'max_completion_tokens' | 'max_tokens';

const OPENAI_NAMES = ['max_tokens', 'max_completion_tokens', 'max_output_tokens'];

/**
 * The edits that make a request ask for at most `tokens` output tokens: what states a maximum is replaced, and the field is
 * added where none does. Names differ by dialect: chat and completions, `max_output_tokens` for Responses, Anthropic's
 * `max_tokens`, Gemini's `generationConfig.maxOutputTokens`.
 */
export function maxTokensEdits(
  operation: Operation,
  body: Buffer,
  scanned: ScannedObject,
  tokens: number,
  chat: ChatMaximum,
): readonly Edit[] {
  const value = String(tokens);
  switch (operation) {
    case 'generate':
    case 'stream_generate':
      return geminiEdits(body, scanned, value);
    case 'messages':
      return stated(scanned, ['max_tokens'], value) ?? [addField(scanned, 'max_tokens', value)];
    case 'responses':
      return stated(scanned, OPENAI_NAMES, value) ?? [addField(scanned, 'max_output_tokens', value)];
    case 'completions':
      return stated(scanned, OPENAI_NAMES, value) ?? [addField(scanned, 'max_tokens', value)];
    case 'chat':
      return stated(scanned, OPENAI_NAMES, value) ?? [addField(scanned, chat, value)];
    default:
      return []; // no output, or none that is billed
  }
}

function stated({ fields }: ScannedObject, names: readonly string[], value: string): readonly Edit[] | null {
  const edits: Edit[] = [];
  for (const name of names) {
    const span = fields.get(name);
    if (span !== undefined) edits.push({ ...span, text: value });
  }
  return edits.length === 0 ? null : edits;
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
  readonly asksForAudio: boolean;
}

/** @throws AppError `invalid_json` */
export function geminiMaximum(body: Buffer, scanned: ScannedObject): GeminiMaximum {
  const maxima: number[] = [];
  const candidates: number[] = [];
  let asksForAudio = false;
  let isUnusable = false;
  for (const { config, inside } of configsOf(body, scanned)) {
    for (const [name, span] of inside.fields) {
      const value = parseSpan(config, span);
      if (name.startsWith('max') && value !== null) {
        if (isCount(value)) maxima.push(value);
        else isUnusable = true;
      } else if (name.startsWith('candidate') && isCount(value)) candidates.push(value);
      else if (name.startsWith('speech')) asksForAudio = true;
      else if (name.startsWith('response')) asksForAudio ||= JSON.stringify(value).includes('AUDIO');
    }
  }
  return {
    tokens: isUnusable || maxima.length === 0 ? null : Math.max(...maxima),
    candidates: candidates.length === 0 ? null : Math.max(...candidates),
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
