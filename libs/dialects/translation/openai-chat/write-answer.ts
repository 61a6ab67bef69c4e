import { answerId } from '../answers.js';
import type { Answer, AnswerPart, FinishReason, Usage } from '../answer-model.js';
import type { Json, ReplyContext } from '../request-model.js';
import { writeSignature, type Signature } from '../signatures.js';

const REASONS: Readonly<Record<FinishReason, string>> = {
  stop: 'stop',
  stop_sequence: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  content_filter: 'content_filter',
  pause: 'stop',
  context_full: 'length',
};

export function chatReason(reason: FinishReason): string {
  return REASONS[reason];
}

export function chatUsage(usage: Usage): Json {
  const written = usage.cacheWrite5mTokens + usage.cacheWrite1hTokens;
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    prompt_tokens_details: {
      cached_tokens: usage.cachedTokens,
      ...(written === 0 ? {} : { cache_write_tokens: written }),
    },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  };
}

/**
 * Signed reasoning under the names LiteLLM made customary (`reasoning_content`, `thinking_blocks`): a caller that sends the
 * message back as it is keeps the signature.
 */
export function thinkingBlock(text: string, signature: Signature): Json {
  return signature.by === 'anthropic_redacted'
    ? { type: 'redacted_thinking', data: signature.value }
    : { type: 'thinking', thinking: text, signature: writeSignature(signature, 'anthropic') };
}

/** Google's place for a call's signature in this dialect. */
export function callExtra(signature: Signature | null): Json {
  return signature === null
    ? {}
    : { extra_content: { google: { thought_signature: writeSignature(signature, 'gemini') } } };
}

/** A whole chat completion. */
export function writeChatAnswer(answer: Answer, context: ReplyContext): Json {
  const { head } = answer;
  return {
    id: answerId(head, context, 'chatcmpl-'),
    object: 'chat.completion',
    created: head.createdAtSeconds ?? context.createdAtSeconds,
    model: head.model ?? context.model,
    choices: [
      {
        index: 0,
        message: writeMessage(answer.parts, context),
        logprobs: null,
        finish_reason: chatReason(answer.finish),
      },
    ],
    ...(answer.usage === null ? {} : { usage: chatUsage(answer.usage) }),
  };
}

function writeMessage(parts: readonly AnswerPart[], context: ReplyContext): Json {
  let text: string | null = null;
  let refusal: string | null = null;
  let thinking = '';
  const blocks: Json[] = [];
  const calls: Json[] = [];
  for (const part of parts) {
    switch (part.kind) {
      case 'text':
        text = (text ?? '') + part.text;
        break;
      case 'refusal':
        refusal = (refusal ?? '') + part.text;
        break;
      case 'thinking':
        thinking += part.text;
        if (part.signature !== null) blocks.push(thinkingBlock(part.text, part.signature));
        break;
      case 'call':
        calls.push(writeCall(part, part.id ?? `call_${context.requestId}_${calls.length}`));
    }
  }
  return {
    role: 'assistant',
    content: text,
    refusal,
    ...(thinking === '' ? {} : { reasoning_content: thinking }),
    ...(blocks.length === 0 ? {} : { thinking_blocks: blocks }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}

function writeCall(part: AnswerPart & { kind: 'call' }, id: string): Json {
  return part.isCustom
    ? { id, type: 'custom', custom: { name: part.name, input: part.args } }
    : { id, type: 'function', function: { name: part.name, arguments: part.args }, ...callExtra(part.signature) };
}
