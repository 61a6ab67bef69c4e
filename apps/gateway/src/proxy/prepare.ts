import { addField, maxTokensEdits, parseSpan, splice, type Edit } from '#libs/dialects/index.js';
import { AppError } from '#libs/platform/errors.js';
import type { Exchange } from './exchange.js';
import type { Reading } from './read.js';
import type { UpstreamAttempt } from './upstream-attempt.js';

/**
 * The documented edits of a same-dialect body, made by splicing bytes: the model's name where it differs at the provider,
 * the usage option of streamed chat, and under a hard budget the maximum of output tokens. Everything else reaches the
 * upstream byte for byte.
 *
 * @param attempt learns whether the caller gets the usage chunk; its `maxTokens` is asked for instead of what the request
 * states
 * @throws AppError `invalid_request` for a batch of embeddings under another name
 */
export function prepareBody(
  exchange: Exchange,
  reading: Reading,
  attempt: Pick<UpstreamAttempt, 'target' | 'maxTokens' | 'hidesUsageChunk'>,
): Buffer {
  const { target, maxTokens } = attempt;
  const edits: Edit[] = [];
  if (maxTokens !== null && exchange.operation !== null) {
    const { chatMaximum } = target.provider;
    edits.push(...maxTokensEdits(exchange.operation, exchange.body, reading, maxTokens, chatMaximum));
  }
  const model = reading.fields.get('model');
  const isGemini = exchange.endpoint.dialect.name === 'gemini';
  if (model !== undefined && exchange.modelRequested !== target.model) {
    const name = isGemini ? `models/${target.model}` : target.model;
    edits.push({ start: model.start, end: model.end, text: JSON.stringify(name) });
  }
  if (exchange.operation === 'gemini_batch_embed' && exchange.modelRequested !== target.model) {
    const text = `Each request of a batch names its model: call it "${target.model}" instead of "${exchange.modelRequested}".`;
    throw new AppError('invalid_request', { text, param: 'requests' });
  }
  const asksUsage = exchange.operation === 'chat' || exchange.operation === 'completions';
  if (asksUsage && exchange.stream && target.provider.streamUsage) {
    const edit = usageOption(exchange, reading);
    if (edit !== null) {
      edits.push(edit);
      attempt.hidesUsageChunk = true;
    }
  }
  return splice(exchange.body, edits);
}

/** Streams report usage only when asked; a call without usage could not be billed. `null` when the caller asked already. */
function usageOption(exchange: Exchange, reading: Reading): Edit | null {
  const span = reading.fields.get('stream_options');
  if (span === undefined) return addField(reading, 'stream_options', '{"include_usage":true}');
  const options = parseSpan(exchange.body, span);
  // Anything but an object is the caller's mistake: the upstream says so in its own words.
  if (options !== null && (typeof options !== 'object' || Array.isArray(options))) return null;
  if ((options as { include_usage?: unknown } | null)?.include_usage === true) return null;
  return { start: span.start, end: span.end, text: JSON.stringify({ ...options, include_usage: true }) };
}
