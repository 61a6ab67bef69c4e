import type { Operation, StreamEnds } from '../dialect.js';
import { dataLinesWith } from '../data-lines.js';
import { lastObjectAt, objectAt, objectIn, type FoundObject } from '../found-object.js';
import { parseSpan, scanObject, type Span } from '../scan.js';
import {
  type BesideUsage,
  count,
  detailsOf,
  hasCount,
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

const TOTALS = ['prompt_tokens', 'input_tokens', 'completion_tokens', 'output_tokens'];

/** `null`: an object without any count, which is no usage. */
function read(usage: Json, raw: string, beside: BesideUsage): TokenUsage | null {
  if (!hasCount(usage, TOTALS)) return null;
  const { media, ...counts } = countsOf(usage);
  const { moreParts = [] } = beside;
  const parts: readonly UsagePart[] | undefined =
    moreParts.length === 0
      ? undefined
      : [{ kind: 'response', model: null, ...counts, ...detailsOf(media) }, ...moreParts];
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
const CHUNK_FIELDS: ReadonlySet<string> = new Set(['usage', 'service_tier', 'response', 'choices', 'x_groq']);

/** Usage of a whole JSON answer; `null` when the server reports none. */
export function openAiUsageOfBody(operation: Operation, body: Buffer): TokenUsage | null {
  // Embeddings are long arrays of numbers without a tier: there the end is all that is looked at.
  if (operation === 'embeddings') return readFound(lastObjectAt(body, 'usage', 1), {});
  if (operation === 'responses') return usageIn(body, RESPONSE_FIELDS);
  const usage = usageIn(body, CHAT_FIELDS);
  return operation === 'chat' ? withSearch(usage, body) : usage;
}

/** A citation of a page; inside of a text its quotes would be escaped, so that this can only be structure. */
const CITATION = '"url_citation"';

/** Chat answers do not count their searches: one that cites pages has made one. */
function withSearch(usage: TokenUsage | null, answer: Buffer): TokenUsage | null {
  if (usage === null || usage.webSearchRequests > 0 || !answer.includes(CITATION)) return usage;
  return { ...usage, webSearchRequests: 1 };
}

/** Usage of a stream: on the last chunk with empty `choices`, on any chunk, or inside `response.completed`. */
export function openAiUsageOfStream(operation: Operation, ends: StreamEnds): TokenUsage | null {
  const lines = dataLinesWith(ends.tail, '"usage"');
  // Without events it is a long answer that was passed on unread.
  if (lines.length === 0) return readFound(lastObjectAt(ends.tail, 'usage', 1), {});
  for (const line of lines.reverse()) {
    const usage = usageIn(line, CHUNK_FIELDS);
    if (usage !== null) return operation === 'chat' ? withSearch(usage, ends.tail) : usage;
  }
  return null;
}

/** Usage read again from its own text. */
export function openAiUsageOfRaw(raw: string, beside: BesideUsage): TokenUsage | null {
  return readFound(objectIn(Buffer.from(raw)), beside);
}

function readFound(found: FoundObject | null, beside: BesideUsage): TokenUsage | null {
  return found === null ? null : read(found.value, found.text, beside);
}

/** Usage in an answer or in an event of a stream; `null` where none is reported. */
function usageIn(json: Buffer, watched: ReadonlySet<string>): TokenUsage | null {
  try {
    const { fields } = scanObject(json, watched);
    const response = fields.get('response');
    if (response !== undefined) return usageIn(json.subarray(response.start, response.end), RESPONSE_FIELDS);
    const found = usageAmong(json, fields);
    if (found === null) return null;
    const tier = fields.get('service_tier');
    const serviceTier = tier === undefined ? undefined : tierOf(parseSpan(json, tier));
    return read(found.value, found.text, { serviceTier, ...toolsOf(json, fields) });
  } catch {
    return null;
  }
}

/** Where usage stands: at the top, in Groq's streams below `x_groq`, in Moonshot's inside the choice. */
function usageAmong(json: Buffer, fields: ReadonlyMap<string, Span>): FoundObject | null {
  const valueOf = (name: string): Buffer => {
    const span = fields.get(name);
    return span === undefined ? NOTHING : json.subarray(span.start, span.end);
  };
  const top = objectIn(valueOf('usage'));
  return top ?? objectAt(valueOf('x_groq'), ['usage']) ?? lastObjectAt(valueOf('choices'), 'usage', 2);
}

const NOTHING = Buffer.alloc(0);
