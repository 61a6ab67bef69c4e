import { count, nested, objectsOf, stringOf } from '../answers.js';
import type { Answer, AnswerPart, Fault, FinishReason, Usage } from '../answer-model.js';
import { faultOf } from '../faults.js';
import type { Signature } from '../signatures.js';
import type { Json } from '../request-model.js';

export function usageOfResponse(value: unknown): Usage | null {
  const usage = nested(value);
  if (usage.input_tokens === undefined && usage.output_tokens === undefined) return null;
  const input = nested(usage.input_tokens_details);
  return {
    inputTokens: count(usage.input_tokens),
    cachedTokens: count(input.cached_tokens),
    cacheWrite5mTokens: count(input.cache_write_tokens),
    cacheWrite1hTokens: 0,
    outputTokens: count(usage.output_tokens),
    reasoningTokens: count(nested(usage.output_tokens_details).reasoning_tokens),
  };
}

export function finishOfResponse(response: Json, hasCalls: boolean): FinishReason {
  if (response.status !== 'incomplete') return hasCalls ? 'tool_calls' : 'stop';
  return nested(response.incomplete_details).reason === 'content_filter' ? 'content_filter' : 'length';
}

export function headOfResponse(response: Json): Answer['head'] {
  const created = response.created_at;
  return {
    id: stringOf(response.id),
    model: stringOf(response.model),
    createdAtSeconds: typeof created === 'number' ? created : null,
  };
}

/** The item's id and encrypted content, which OpenAI wants back together. */
export function signatureOfReasoning(item: Json): Signature | null {
  const encrypted = stringOf(item.encrypted_content);
  return encrypted === null ? null : { by: 'openai', value: `${stringOf(item.id) ?? ''}|${encrypted}` };
}

/** A whole response, or the fault it failed with. */
export function readResponseAnswer(body: Json): Answer | Fault {
  if (body.status === 'failed') return faultOf(body.error, null);
  const parts = objectsOf(body.output).flatMap(readItem);
  return {
    head: headOfResponse(body),
    parts,
    finish: finishOfResponse(
      body,
      parts.some((part) => part.kind === 'call'),
    ),
    stopSequence: null,
    usage: usageOfResponse(body.usage),
  };
}

function readItem(item: Json): AnswerPart[] {
  switch (item.type) {
    case 'message':
      return objectsOf(item.content).map((part) =>
        part.type === 'refusal'
          ? { kind: 'refusal', text: stringOf(part.refusal) ?? '' }
          : { kind: 'text', text: stringOf(part.text) ?? '' },
      );
    case 'reasoning': {
      const said = objectsOf(item.summary)
        .concat(objectsOf(item.content))
        .map((part) => stringOf(part.text) ?? '');
      return [{ kind: 'thinking', text: said.join('\n\n'), signature: signatureOfReasoning(item) }];
    }
    case 'function_call':
    case 'custom_tool_call': {
      const isCustom = item.type === 'custom_tool_call';
      const args = stringOf(isCustom ? item.input : item.arguments) ?? '';
      return [
        { kind: 'call', id: stringOf(item.call_id), name: stringOf(item.name) ?? '', args, isCustom, signature: null },
      ];
    }
    default:
      return [];
  }
}
