import type { Operation, StreamEnds } from '../dialect.js';
import { eventDataAt, lastObjectAt, lastObjectOf, type FoundObject } from '../found-object.js';
import { parseSpan, scanObject, type ScannedObject } from '../scan.js';
import {
  type BesideUsage,
  count,
  detailsOf,
  type MediaTokens,
  nested,
  sumOf,
  tierOf,
  type TokenCounts,
  type TokenUsage,
  type UsagePart,
} from '../usage.js';
import { toolsOf } from './tool-usage.js';

type Json = Record<string, unknown>;

/**
 * The counts of chat completions, completions, embeddings and responses. Prompt counts include cached tokens; the chat
 * names (`prompt_tokens`) and the Responses names (`input_tokens`) never stand in one object. What compatible servers call
 * otherwise: DeepSeek's `prompt_cache_hit_tokens`, `cached_tokens` beside the totals (Moonshot, Together), cache writes as
 * LiteLLM names them. Where a total is larger than prompt and completion together (xAI, Gemini's compatible route), the
 * rest is reasoning that was left out of the completion and is billed like it.
 */
function countsOf(usage: Json): TokenCounts & { readonly media: MediaTokens } {
  const inDetails = nested(usage.prompt_tokens_details ?? usage.input_tokens_details);
  const outDetails = nested(usage.completion_tokens_details ?? usage.output_tokens_details);
  const cachedDetails = nested(inDetails.cached_tokens_details);
  const inputTokens = count(usage.prompt_tokens ?? usage.input_tokens);
  const completion = usage.completion_tokens ?? usage.output_tokens;
  const leftOut = completion == null ? 0 : Math.max(0, count(usage.total_tokens) - inputTokens - count(completion));
  const written = count(
    inDetails.cache_write_tokens ?? inDetails.cache_creation_tokens ?? usage.cache_creation_input_tokens,
  );
  const writtenLong = Math.min(written, count(nested(inDetails.cache_write_tokens_details).ttl_12h_tokens));
  return {
    inputTokens,
    cachedInputTokens: count(inDetails.cached_tokens ?? usage.cached_tokens ?? usage.prompt_cache_hit_tokens),
    cacheWrite5mTokens: written - writtenLong,
    cacheWrite1hTokens: writtenLong,
    outputTokens: count(completion) + leftOut,
    reasoningTokens: Math.max(count(outDetails.reasoning_tokens), leftOut),
    media: {
      inputAudioTokens: count(inDetails.audio_tokens),
      inputImageTokens: count(inDetails.image_tokens),
      cachedAudioTokens: count(cachedDetails.audio_tokens),
      cachedImageTokens: count(cachedDetails.image_tokens),
      outputAudioTokens: count(outDetails.audio_tokens),
      outputImageTokens: count(outDetails.image_tokens),
    },
  };
}

function read(usage: Json, raw: string, beside: BesideUsage): TokenUsage {
  const { media, ...counts } = countsOf(usage);
  const { moreParts = [] } = beside;
  const own: UsagePart = { kind: 'response', model: null, ...counts, ...detailsOf(media) };
  const parts = moreParts.length === 0 ? undefined : [own, ...moreParts];
  const { webSearchRequests = 0, fileSearchRequests, codeSessions, searchPreview } = beside;
  return {
    ...(parts === undefined ? counts : sumOf(parts)),
    // Perplexity counts its searches inside the usage object.
    webSearchRequests: webSearchRequests > 0 ? webSearchRequests : count(usage.num_search_queries),
    details: detailsOf({
      serviceTier: tierOf(beside.serviceTier),
      ...(parts === undefined ? media : {}),
      fileSearchRequests,
      codeSessions,
      searchPreview: webSearchRequests > 0 ? searchPreview : undefined,
      parts,
    }),
    raw,
  };
}

const CHAT_FIELDS: ReadonlySet<string> = new Set(['usage', 'service_tier']);
const RESPONSE_FIELDS: ReadonlySet<string> = new Set(['usage', 'service_tier', 'output', 'tools', 'tool_usage']);
const CHUNK_FIELDS: ReadonlySet<string> = new Set(['usage', 'service_tier', 'response']);

/** Usage of a whole JSON answer; `null` when the server reports none. */
export function openAiUsageOfBody(operation: Operation, body: Buffer): TokenUsage | null {
  // Embeddings are long arrays of numbers without a tier: there the end is all that is looked at.
  if (operation === 'embeddings')
    return readFound(lastObjectAt(body, 'usage', 1, false) ?? lastObjectOf(body, 'usage'));
  try {
    return readFields(body, scanObject(body, operation === 'responses' ? RESPONSE_FIELDS : CHAT_FIELDS));
  } catch {
    return readFound(lastObjectOf(body, 'usage')); // no proper JSON, but the bill may stand in it
  }
}

/** Usage of a stream: on the last chunk with empty `choices`, on any chunk, or inside `response.completed`. */
export function openAiUsageOfStream(_operation: Operation, ends: StreamEnds): TokenUsage | null {
  const { tail } = ends;
  const last = lastObjectOf(tail, 'usage');
  if (last === null) return null;
  const line = eventDataAt(tail, last.start);
  if (line === null) return readFound(lastObjectAt(tail, 'usage', 1, false) ?? last);
  try {
    const chunk = scanObject(line, CHUNK_FIELDS);
    const response = chunk.fields.get('response');
    if (response !== undefined) {
      const inside = line.subarray(response.start, response.end);
      return readFields(inside, scanObject(inside, RESPONSE_FIELDS));
    }
    // Groq and Moonshot put usage deeper into the chunk: any place will do.
    return readFields(line, chunk) ?? readFound(last, { serviceTier: tierIn(line, chunk) });
  } catch {
    return readFound(last);
  }
}

/** Usage read again from its own text. */
export function openAiUsageOfRaw(raw: string, beside: BesideUsage): TokenUsage | null {
  const value = nested(parseOrNull(raw));
  return Object.keys(value).length === 0 ? null : read(value, raw, beside);
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

function readFound(found: FoundObject | null, beside: BesideUsage = {}): TokenUsage | null {
  return found === null ? null : read(found.value, found.text, beside);
}

/** Usage from the fields of an answer; `null` when it has no usage object. */
function readFields(json: Buffer, { fields }: ScannedObject): TokenUsage | null {
  const span = fields.get('usage');
  if (span === undefined) return null;
  const text = json.toString('utf8', span.start, span.end);
  const usage: unknown = JSON.parse(text);
  if (typeof usage !== 'object' || usage === null || Array.isArray(usage)) return null;
  const beside = { serviceTier: tierIn(json, { fields }), ...toolsOf(json, fields) };
  return read(usage as Json, text, beside);
}

function tierIn(json: Buffer, { fields }: Pick<ScannedObject, 'fields'>): string | undefined {
  const span = fields.get('service_tier');
  return span === undefined ? undefined : tierOf(parseSpan(json, span));
}
