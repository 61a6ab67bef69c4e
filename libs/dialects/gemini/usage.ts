import type { Operation, StreamEnds } from '../dialect.js';
import { dataLinesWith } from '../data-lines.js';
import { lastObjectAt, objectAt, objectIn, type FoundObject } from '../found-object.js';
import {
  type BesideUsage,
  count,
  detailsOf,
  hasCount,
  nested,
  tierOf,
  type MediaTokens,
  type TokenUsage,
} from '../usage.js';

type Json = Record<string, unknown>;

/** Tokens of one kind of media in a `…TokensDetails` list. */
function tokensOf(details: unknown, modality: string): number {
  if (!Array.isArray(details)) return 0;
  return details.reduce<number>((sum, entry) => {
    const { modality: of, tokenCount } = nested(entry);
    return of === modality ? sum + count(tokenCount) : sum;
  }, 0);
}

/** Documents are not listed: their pages have the price of text. */
function mediaOf(usage: Json): MediaTokens {
  const input = (modality: string): number =>
    tokensOf(usage.promptTokensDetails, modality) + tokensOf(usage.toolUsePromptTokensDetails, modality);
  return {
    inputAudioTokens: input('AUDIO'),
    inputImageTokens: input('IMAGE'),
    inputVideoTokens: input('VIDEO'),
    cachedAudioTokens: tokensOf(usage.cacheTokensDetails, 'AUDIO'),
    cachedImageTokens: tokensOf(usage.cacheTokensDetails, 'IMAGE'),
    outputAudioTokens: tokensOf(usage.candidatesTokensDetails, 'AUDIO'),
    outputImageTokens: tokensOf(usage.candidatesTokensDetails, 'IMAGE'),
    outputVideoTokens: tokensOf(usage.candidatesTokensDetails, 'VIDEO'),
  };
}

/** Vertex names the kind of traffic: `ON_DEMAND_PRIORITY` and `ON_DEMAND_FLEX` are tiers with prices of their own. */
function tierOfTraffic(value: unknown): string | undefined {
  return typeof value === 'string' ? tierOf(value.replace(/^ON_DEMAND_/, '')) : undefined;
}

const TOTALS = ['promptTokenCount', 'candidatesTokenCount', 'thoughtsTokenCount', 'toolUsePromptTokenCount'];

/**
 * The prompt count contains cached tokens; thoughts and tool-use prompts come on top of the other counts. `null`: an object
 * without any count, which is no usage.
 */
function read(usage: Json, raw: string, beside: BesideUsage): TokenUsage | null {
  if (!hasCount(usage, TOTALS)) return null;
  const thoughts = count(usage.thoughtsTokenCount);
  return {
    inputTokens: count(usage.promptTokenCount) + count(usage.toolUsePromptTokenCount),
    cachedInputTokens: count(usage.cachedContentTokenCount),
    cacheWrite5mTokens: 0,
    cacheWrite1hTokens: 0,
    outputTokens: count(usage.candidatesTokenCount) + thoughts,
    reasoningTokens: thoughts,
    webSearchRequests: beside.webSearchRequests ?? 0,
    details: detailsOf({
      serviceTier: tierOfTraffic(usage.trafficType) ?? tierOf(beside.serviceTier),
      ...mediaOf(usage),
    }),
    raw,
  };
}

const QUERIES = /"webSearchQueries"\s*:\s*(\[[^\]]*\])/g;
const MODEL = /"modelVersion"\s*:\s*"([^"]+)"/;

/**
 * Searches that grounding ran: Gemini 3 and later bill each query, earlier models each answer that used any. The queries of
 * all frames together, each once, as a stream may repeat them.
 */
function searchesIn(texts: readonly (Buffer | undefined)[]): number {
  const queries = new Set<string>();
  let model = '';
  for (const bytes of texts) {
    if (bytes === undefined || !bytes.includes('"webSearchQueries"')) continue;
    const text = bytes.toString('utf8');
    for (const [, list = '[]'] of text.matchAll(QUERIES)) for (const query of listOf(list)) queries.add(query);
    model = MODEL.exec(text)?.[1] ?? model;
  }
  return /^gemini-[12]\./.test(model) ? Math.min(1, queries.size) : queries.size;
}

function listOf(json: string): readonly string[] {
  try {
    return (JSON.parse(json) as unknown[]).map(String);
  } catch {
    return ['?']; // a query with a bracket in it: one search at least
  }
}

function readFound(found: FoundObject | null, texts: readonly (Buffer | undefined)[]): TokenUsage | null {
  return found === null ? null : read(found.value, found.text, { webSearchRequests: searchesIn(texts) });
}

const KEY = 'usageMetadata';

/** Usage of a whole answer. Counting tokens consumes nothing. */
export function geminiUsageOfBody(operation: Operation, body: Buffer): TokenUsage | null {
  return operation === 'gemini_count_tokens' ? null : readFound(objectAt(body, [KEY]), [body]);
}

/** Usage of a stream, which every chunk repeats and the last one completes; as events or as one JSON array. */
export function geminiUsageOfStream(operation: Operation, { tail, marked }: StreamEnds): TokenUsage | null {
  const lines = dataLinesWith(tail, `"${KEY}"`);
  if (lines.length === 0) {
    // An array, which may not be complete, or a long answer that was passed on unread.
    const inArray = operation === 'stream_generate' ? lastObjectAt(tail, KEY, 2) : null;
    return readFound(inArray ?? lastObjectAt(tail, KEY, 1), [marked, tail]);
  }
  for (const line of lines.reverse()) {
    const found = objectAt(line, [KEY]);
    if (found !== null) return readFound(found, [marked, tail]);
  }
  return null;
}

/** Usage read again from its own text. */
export function geminiUsageOfRaw(raw: string, beside: BesideUsage): TokenUsage | null {
  const found = objectIn(Buffer.from(raw));
  return found === null ? null : read(found.value, raw, beside);
}
