import { maxTokensEdits, REQUEST_FIELDS, scanObject, splice, type Translation } from '#libs/dialects/index.js';
import type { Target } from '#libs/routing/index.js';
import type { Exchange } from './exchange.js';
import type { Reading } from './read.js';
import type { Way } from './way.js';

/** A request in the dialect of a target that does not speak the caller's (LLM-7). */
export interface TranslatedBody {
  readonly translation: Translation;
  readonly reading: Reading;
}

/** The Gemini caller did not ask for events: it reads a stream as a JSON array. */
export function wantsJsonArray({ operation, query }: Pick<Exchange, 'operation' | 'query'>): boolean {
  return operation === 'stream_generate' && !/(^|&)alt=sse(&|$)/.test(query);
}

/** Others ignore `stream`. */
const STREAMED: ReadonlySet<string | null> = new Set([
  'chat',
  'completions',
  'responses',
  'messages',
  'stream_generate',
]);

/** The caller reads server-sent events. */
export function wantsEvents(exchange: Exchange): boolean {
  return exchange.stream && STREAMED.has(exchange.operation) && !wantsJsonArray(exchange);
}

/** Content type of a translated stream. */
export function streamTypeFor(exchange: Exchange): string {
  return wantsJsonArray(exchange) ? 'application/json; charset=utf-8' : 'text/event-stream; charset=utf-8';
}

/**
 * The request for a target, translated once per request. `null` where caller and provider speak the same.
 * @throws AppError `invalid_request` naming the field that cannot be carried over, `invalid_json`
 */
export function translatedBody(exchange: Exchange, target: Target, way: Way): TranslatedBody | null {
  if (way.translator === null) return null;
  const known = exchange.translations?.get(target);
  if (known !== undefined) return known;
  const isGemini = exchange.endpoint.dialect.name === 'gemini';
  const translation = way.translator.request(exchange.body, {
    model: target.model,
    requestId: exchange.id,
    createdAtSeconds: Math.floor(exchange.startedAtMs / 1000),
    asJsonArray: wantsJsonArray(exchange),
    ...(isGemini ? { isStream: exchange.stream } : {}),
  });
  const made = { translation, reading: scanObject(translation.body, REQUEST_FIELDS[way.dialect.name]) };
  exchange.translations = new Map(exchange.translations).set(target, made);
  return made;
}

/** A translated body as it is sent: under a hard budget with the maximum of output tokens. */
export function withMaximum(
  { translation, reading }: TranslatedBody,
  way: Way,
  target: Target,
  maxTokens: number | null,
): Buffer {
  if (maxTokens === null) return translation.body;
  const { chatMaximum } = target.provider;
  return splice(translation.body, maxTokensEdits(way.operation, translation.body, reading, maxTokens, chatMaximum));
}
