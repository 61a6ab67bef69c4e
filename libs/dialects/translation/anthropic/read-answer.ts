import { count, nested, objectsOf, stringOf } from '../answers.js';
import type { Answer, AnswerPart, FinishReason, Usage } from '../answer-model.js';
import { readSignature } from '../signatures.js';
import type { Json } from '../request-model.js';

const REASONS: Readonly<Record<string, FinishReason>> = {
  end_turn: 'stop',
  stop_sequence: 'stop_sequence',
  max_tokens: 'length',
  tool_use: 'tool_calls',
  pause_turn: 'pause',
  refusal: 'content_filter',
  model_context_window_exceeded: 'context_full',
};

export function finishOfMessage(reason: unknown): FinishReason {
  return (typeof reason === 'string' ? REASONS[reason] : undefined) ?? 'stop';
}

/** Anthropic counts cached tokens beside `input_tokens`; the field for the split of writes is newer than the sum. */
export function usageOfMessage(usage: Json): Usage {
  const creation = nested(usage.cache_creation);
  const write1h = count(creation.ephemeral_1h_input_tokens);
  const written = Math.max(
    count(usage.cache_creation_input_tokens),
    write1h + count(creation.ephemeral_5m_input_tokens),
  );
  const cached = count(usage.cache_read_input_tokens);
  return {
    inputTokens: count(usage.input_tokens) + cached + written,
    cachedTokens: cached,
    cacheWrite5mTokens: written - write1h,
    cacheWrite1hTokens: write1h,
    outputTokens: count(usage.output_tokens),
    reasoningTokens: count(nested(usage.output_tokens_details).thinking_tokens),
  };
}

/** A whole message. Blocks of server-side tools, which a translated request cannot ask for, are left out. */
export function readMessageAnswer(body: Json): Answer {
  return {
    head: { id: stringOf(body.id), model: stringOf(body.model), createdAtSeconds: null },
    parts: objectsOf(body.content).flatMap(readBlock),
    finish: finishOfMessage(body.stop_reason),
    stopSequence: stringOf(body.stop_sequence),
    usage: body.usage === undefined ? null : usageOfMessage(nested(body.usage)),
  };
}

function readBlock(block: Json): AnswerPart[] {
  switch (block.type) {
    case 'text':
      return [{ kind: 'text', text: stringOf(block.text) ?? '' }];
    case 'thinking': {
      const signature = stringOf(block.signature) ?? '';
      const read = signature === '' ? null : readSignature(signature, 'anthropic');
      return [{ kind: 'thinking', text: stringOf(block.thinking) ?? '', signature: read }];
    }
    case 'redacted_thinking':
      return [
        { kind: 'thinking', text: '', signature: { by: 'anthropic_redacted', value: stringOf(block.data) ?? '' } },
      ];
    case 'tool_use':
      return [
        {
          kind: 'call',
          id: stringOf(block.id),
          name: stringOf(block.name) ?? '',
          args: JSON.stringify(block.input ?? {}),
          isCustom: false,
          signature: null,
        },
      ];
    default:
      return [];
  }
}
