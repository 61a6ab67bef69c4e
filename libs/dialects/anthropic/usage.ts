import type { Operation, StreamEnds } from '../dialect.js';
import { dataLinesWith } from '../data-lines.js';
import { lastObjectAt, objectAt, objectIn, type FoundObject } from '../found-object.js';
import {
  type BesideUsage,
  count,
  detailsOf,
  hasCount,
  nested,
  sumOf,
  tierOf,
  type TokenCounts,
  type TokenUsage,
  type UsagePart,
} from '../usage.js';

type Json = Record<string, unknown>;

/** Anthropic's `input_tokens` leaves out what was read from or written to the cache; all three add up to the input. */
function countsOf(usage: Json): TokenCounts {
  const byAge = nested(usage.cache_creation);
  const written = count(usage.cache_creation_input_tokens);
  const write1h = count(byAge.ephemeral_1h_input_tokens);
  const write5m = Math.max(written - write1h, count(byAge.ephemeral_5m_input_tokens));
  const cached = count(usage.cache_read_input_tokens);
  return {
    inputTokens: count(usage.input_tokens) + cached + write5m + write1h,
    cachedInputTokens: cached,
    cacheWrite5mTokens: write5m,
    cacheWrite1hTokens: write1h,
    outputTokens: count(usage.output_tokens),
    reasoningTokens: count(nested(usage.output_tokens_details).thinking_tokens),
  };
}

const MAX_PARTS = 256;
/** Steps whose tokens the totals of the call leave out. */
const BESIDE_TOTALS = new Set(['compaction', 'advisor_message']);

function partsOf(iterations: unknown): UsagePart[] {
  if (!Array.isArray(iterations)) return [];
  return iterations.slice(0, MAX_PARTS).map((entry) => {
    const step = nested(entry);
    return {
      kind: typeof step.type === 'string' ? step.type.slice(0, 64) : 'message',
      model: typeof step.model === 'string' ? step.model.slice(0, 256) : null,
      ...countsOf(step),
    };
  });
}

/**
 * What is billed step by step (Anthropic's documents: sum all entries of `usage.iterations`); nothing where the totals say
 * the same. The totals lack compaction and advice, and after a server-side fallback each step has the price of its own
 * model. Steps that add up to less than the totals would lose tokens: then the totals count, beside what they leave out.
 */
function billedParts(totals: TokenCounts, iterations: unknown): readonly UsagePart[] | undefined {
  const steps = partsOf(iterations);
  const beside = steps.filter(({ kind }) => BESIDE_TOTALS.has(kind));
  const inside = steps.filter(({ kind }) => !BESIDE_TOTALS.has(kind));
  const sum = sumOf(inside);
  const isWhole = sum.inputTokens >= totals.inputTokens && sum.outputTokens >= totals.outputTokens;
  const isMore = sum.inputTokens > totals.inputTokens || sum.outputTokens > totals.outputTokens;
  const isMixed = inside.some(({ kind, model }) => kind === 'fallback_message' || model !== inside[0]?.model);
  if (beside.length === 0 && !(isWhole && (isMore || isMixed))) return undefined;
  return [...(isWhole ? inside : [{ kind: 'message', model: null, ...totals }]), ...beside];
}

/** Under a field of this name a region is reported that changes nothing. */
const ANYWHERE = new Set(['', 'global', 'not_available']);

function regionOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= 64 && !ANYWHERE.has(value) ? value : undefined;
}

const TOTALS = ['input_tokens', 'output_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens'];

/** `null`: an object without any count, which is no usage. */
function read(usage: Json, raw: string): TokenUsage | null {
  if (!hasCount(usage, TOTALS)) return null;
  const totals = countsOf(usage);
  const parts = usage.iterations == null ? undefined : billedParts(totals, usage.iterations);
  return {
    ...(parts === undefined ? totals : sumOf(parts)),
    webSearchRequests: count(nested(usage.server_tool_use).web_search_requests),
    details: detailsOf({
      serviceTier: usage.speed === 'fast' ? 'fast' : tierOf(usage.service_tier),
      region: regionOf(usage.inference_geo),
      parts,
    }),
    raw,
  };
}

/** Usage of a whole message. `count_tokens` answers without consuming anything. */
export function anthropicUsageOfBody(operation: Operation, body: Buffer): TokenUsage | null {
  if (operation === 'count_tokens') return null;
  const found = objectAt(body, ['usage']);
  return found === null ? null : read(found.value, found.text);
}

/** `message_start` reports the input, `message_delta` cumulative counts of which some may be null: the last non-null value of each field counts. */
export function anthropicUsageOfStream(_operation: Operation, ends: StreamEnds): TokenUsage | null {
  const first = firstOf(dataLinesWith(ends.head, '"usage"'), ['message', 'usage']);
  const lines = dataLinesWith(ends.tail, '"usage"');
  // Without events it is a long answer that was passed on unread.
  const last = lines.length === 0 ? lastObjectAt(ends.tail, 'usage', 1) : firstOf(lines.reverse(), ['usage']);
  if (first === null && last === null) return null;
  const merged: Json = { ...first?.value };
  for (const [field, value] of Object.entries(last?.value ?? {})) if (value !== null) merged[field] = value;
  return read(merged, JSON.stringify(merged));
}

/** The output stands in `message_delta` alone: what `message_start` says of it is a beginning. */
export function anthropicHasFinalUsage({ tail }: StreamEnds): boolean {
  const lines = dataLinesWith(tail, '"usage"');
  return lines.length === 0 ? lastObjectAt(tail, 'usage', 1) !== null : firstOf(lines.reverse(), ['usage']) !== null;
}

function firstOf(lines: readonly Buffer[], path: readonly string[]): FoundObject | null {
  for (const line of lines) {
    const found = objectAt(line, path);
    if (found !== null) return found;
  }
  return null;
}

/** Usage read again from its own text, in which everything stands. */
export function anthropicUsageOfRaw(raw: string, _beside: BesideUsage): TokenUsage | null {
  const found = objectIn(Buffer.from(raw));
  return found === null ? null : read(found.value, raw);
}
