import { answerId, badArguments } from '../answers.js';
import type { Answer, AnswerPart, FinishReason, Usage } from '../answer-model.js';
import { parseArgs } from '../arguments.js';
import type { Json, ReplyContext } from '../request-model.js';
import { UNSIGNED, writeSignature, type Signature } from '../signatures.js';

const REASONS: Readonly<Record<FinishReason, string>> = {
  stop: 'end_turn',
  stop_sequence: 'stop_sequence',
  length: 'max_tokens',
  tool_calls: 'tool_use',
  content_filter: 'refusal',
  pause: 'pause_turn',
  context_full: 'model_context_window_exceeded',
};

export function messageReason(reason: FinishReason): string {
  return REASONS[reason];
}

/** Anthropic counts cached tokens apart from `input_tokens`. */
export function messageUsage(usage: Usage): Json {
  const written = usage.cacheWrite5mTokens + usage.cacheWrite1hTokens;
  return {
    input_tokens: Math.max(0, usage.inputTokens - usage.cachedTokens - written),
    cache_creation_input_tokens: written,
    cache_read_input_tokens: usage.cachedTokens,
    output_tokens: usage.outputTokens,
    output_tokens_details: { thinking_tokens: usage.reasoningTokens },
    server_tool_use: null,
  };
}

export const NO_USAGE: Usage = {
  inputTokens: 0,
  cachedTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
};

export function messageBlock(text: string, signature: Signature | null): Json {
  if (signature?.by === 'anthropic_redacted') return { type: 'redacted_thinking', data: signature.value };
  return {
    type: 'thinking',
    thinking: text,
    signature: signature === null ? UNSIGNED : writeSignature(signature, 'anthropic'),
  };
}

/** A message without its content, as it stands at the start of a stream too. */
export function messageHead(head: Answer['head'], context: ReplyContext): Json {
  return {
    id: answerId(head, context, 'msg_'),
    type: 'message',
    role: 'assistant',
    model: head.model ?? context.model,
    content: [],
    container: null,
    diagnostics: null,
    stop_details: null,
    stop_reason: null,
    stop_sequence: null,
  };
}

/** The same as a whole answer and the start of a stream report it: with fields that later reports do not have. */
export function wholeMessageUsage(usage: Usage): Json {
  return {
    ...messageUsage(usage),
    cache_creation: {
      ephemeral_5m_input_tokens: usage.cacheWrite5mTokens,
      ephemeral_1h_input_tokens: usage.cacheWrite1hTokens,
    },
    inference_geo: null,
    service_tier: null,
    speed: null,
  };
}

/** A whole message. @throws AppError `upstream_bad_output` when a call's arguments are no JSON object */
export function writeMessageAnswer(answer: Answer, context: ReplyContext): Json {
  const content: Json[] = [];
  answer.parts.forEach((part) => appendBlocks(content, part, answer, context));
  return {
    ...messageHead(answer.head, context),
    content,
    stop_reason: messageReason(answer.finish),
    stop_sequence: answer.stopSequence,
    usage: wholeMessageUsage(answer.usage ?? NO_USAGE),
  };
}

function appendBlocks(content: Json[], part: AnswerPart, answer: Answer, context: ReplyContext): void {
  switch (part.kind) {
    case 'text':
    case 'refusal':
      content.push({ type: 'text', text: part.text, citations: null });
      return;
    case 'thinking':
      content.push(messageBlock(part.text, part.signature));
      return;
    case 'call': {
      if (part.signature !== null) appendSignature(content, part.signature);
      const input = parseArgs(part.args);
      if (input === null) {
        // Cut off by the limit: a call that cannot be made. The stop reason tells.
        if (answer.finish === 'length' || answer.finish === 'context_full') return;
        throw badArguments(part.name);
      }
      const id = part.id ?? `toolu_${context.requestId}_${content.length}`;
      content.push({ type: 'tool_use', id, name: part.name, input, caller: { type: 'direct' } });
    }
  }
}

/** A call has no place for a signature here: it goes to the thinking before it, or into an empty one. */
function appendSignature(content: Json[], signature: Signature): void {
  const last = content.at(-1);
  if (last?.type === 'thinking' && last.signature === UNSIGNED) last.signature = writeSignature(signature, 'anthropic');
  else content.push(messageBlock('', signature));
}
