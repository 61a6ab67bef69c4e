import { count, nested, type Operation, type StreamEnds } from '../dialect.js';
import { dataLinesWith } from '../data-lines.js';
import { objectAt, type FoundObject } from '../scan.js';
import type { TokenUsage } from '../usage.js';

/** Anthropic's `input_tokens` leaves out what was read from or written to the cache; all three add up to the input. */
function read(usage: Record<string, unknown>, raw: string): TokenUsage {
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
    webSearchRequests: count(nested(usage.server_tool_use).web_search_requests),
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
  const last = firstOf(dataLinesWith(ends.tail, '"usage"').reverse(), ['usage']);
  if (first === null && last === null) return null;
  const merged: Record<string, unknown> = { ...first?.value };
  for (const [field, value] of Object.entries(last?.value ?? {})) if (value !== null) merged[field] = value;
  return read(merged, JSON.stringify(merged));
}

function firstOf(lines: readonly Buffer[], path: readonly string[]): FoundObject | null {
  for (const line of lines) {
    const found = objectAt(line, path);
    if (found !== null) return found;
  }
  return null;
}
