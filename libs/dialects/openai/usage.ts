import { count, nested, type Operation, type StreamEnds } from '../dialect.js';
import { dataLinesWith } from '../data-lines.js';
import { objectAt, type FoundObject } from '../scan.js';
import type { TokenUsage } from '../usage.js';

/**
 * Usage of chat completions, completions, embeddings and responses. Prompt counts include cached tokens; the chat names
 * (`prompt_tokens`) and the Responses names (`input_tokens`) never stand in one object.
 */
function read(found: FoundObject | null): TokenUsage | null {
  if (found === null) return null;
  const usage = found.value;
  const inputDetails = nested(usage.prompt_tokens_details ?? usage.input_tokens_details);
  const outputDetails = nested(usage.completion_tokens_details ?? usage.output_tokens_details);
  return {
    inputTokens: count(usage.prompt_tokens ?? usage.input_tokens),
    cachedInputTokens: count(inputDetails.cached_tokens),
    cacheWrite5mTokens: count(inputDetails.cache_write_tokens),
    cacheWrite1hTokens: 0,
    outputTokens: count(usage.completion_tokens ?? usage.output_tokens),
    reasoningTokens: count(outputDetails.reasoning_tokens),
    webSearchRequests: 0,
    raw: found.text,
  };
}

/** Usage of a whole JSON answer; `null` when the server reports none. */
export function openAiUsageOfBody(_operation: Operation, body: Buffer): TokenUsage | null {
  return read(objectAt(body, ['usage']));
}

/** Usage of a stream: on the last chunk with empty `choices`, on any chunk, or inside `response.completed`. */
export function openAiUsageOfStream(_operation: Operation, ends: StreamEnds): TokenUsage | null {
  for (const line of dataLinesWith(ends.tail, '"usage"').reverse()) {
    const found = objectAt(line, ['usage']) ?? objectAt(line, ['response', 'usage']);
    if (found !== null) return read(found);
  }
  return null;
}
