import { count, nested, objectsOf, stringOf, textOf } from '../answers.js';
import type { Answer, AnswerPart, FinishReason, Usage } from '../answer-model.js';
import { readSignature, type Signature } from '../signatures.js';
import type { Json } from '../request-model.js';

const REASONS: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
};

/** A chat `finish_reason`; what servers invent beside OpenAI's own counts as an ordinary end. */
export function finishOfChat(reason: string): FinishReason {
  return REASONS[reason] ?? 'stop';
}

export function usageOfChat(value: unknown): Usage | null {
  const usage = nested(value);
  if (usage.prompt_tokens === undefined && usage.completion_tokens === undefined) return null;
  const input = nested(usage.prompt_tokens_details);
  return {
    inputTokens: count(usage.prompt_tokens),
    cachedTokens: count(input.cached_tokens),
    cacheWrite5mTokens: count(input.cache_write_tokens),
    cacheWrite1hTokens: 0,
    outputTokens: count(usage.completion_tokens),
    reasoningTokens: count(nested(usage.completion_tokens_details).reasoning_tokens),
  };
}

/** The signature a server that speaks for Gemini puts on a call. */
export function signatureOfCall(call: Json): Signature | null {
  const value = stringOf(nested(nested(call.extra_content).google).thought_signature);
  return value === null ? null : readSignature(value, 'gemini');
}

/** A whole chat completion. */
export function readChatAnswer(body: Json): Answer {
  const choice = nested(objectsOf(body.choices)[0]);
  const message = nested(choice.message);
  const parts: AnswerPart[] = [];
  const thinking = stringOf(message.reasoning_content) ?? stringOf(message.reasoning);
  if (thinking !== null && thinking !== '') parts.push({ kind: 'thinking', text: thinking, signature: null });
  const text = stringOf(message.content);
  if (text !== null && text !== '') parts.push({ kind: 'text', text });
  const refusal = stringOf(message.refusal);
  if (refusal !== null && refusal !== '') parts.push({ kind: 'refusal', text: refusal });
  for (const call of objectsOf(message.tool_calls)) parts.push(readCall(call));
  const reason = stringOf(choice.finish_reason);
  const hasCalls = parts.some((part) => part.kind === 'call');
  const finish = reason === null ? 'stop' : finishOfChat(reason);
  return {
    head: {
      id: stringOf(body.id),
      model: stringOf(body.model),
      createdAtSeconds: typeof body.created === 'number' ? body.created : null,
    },
    parts,
    // Some servers say "stop" beside calls.
    finish: finish === 'stop' && hasCalls ? 'tool_calls' : finish,
    stopSequence: null,
    usage: usageOfChat(body.usage),
  };
}

function readCall(call: Json): AnswerPart {
  const isCustom = call.type === 'custom';
  const inner = nested(isCustom ? call.custom : call.function);
  const args = isCustom ? inner.input : inner.arguments;
  return {
    kind: 'call',
    id: textOf(call.id),
    name: stringOf(inner.name) ?? '',
    args: typeof args !== 'string' ? JSON.stringify(args ?? {}) : args === '' && !isCustom ? '{}' : args,
    isCustom,
    signature: signatureOfCall(call),
  };
}
