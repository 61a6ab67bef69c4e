import { answerId } from '../answers.js';
import type { Answer, AnswerHead, AnswerPart, FinishReason, Usage } from '../answer-model.js';
import type { Json, ReplyContext } from '../request-model.js';
import { UNSIGNED, writeSignature, type Signature } from '../signatures.js';

/** What a Responses answer repeats of its request. */
const ECHOED: readonly string[] = [
  'instructions',
  'max_output_tokens',
  'metadata',
  'parallel_tool_calls',
  'reasoning',
  'service_tier',
  'temperature',
  'text',
  'tool_choice',
  'tools',
  'top_p',
  'user',
];

/** The fields of the caller's request that its answers repeat. */
export function echoOf(request: Json): Json {
  return Object.fromEntries(ECHOED.filter((name) => request[name] !== undefined).map((name) => [name, request[name]]));
}

export function responseUsage(usage: Usage): Json {
  return {
    input_tokens: usage.inputTokens,
    input_tokens_details: {
      cached_tokens: usage.cachedTokens,
      cache_write_tokens: usage.cacheWrite5mTokens + usage.cacheWrite1hTokens,
    },
    output_tokens: usage.outputTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
    total_tokens: usage.inputTokens + usage.outputTokens,
  };
}

/** Why an answer is not complete; `null`: it is. */
export function incompleteReason(reason: FinishReason): string | null {
  if (reason === 'length' || reason === 'context_full') return 'max_output_tokens';
  return reason === 'content_filter' ? 'content_filter' : null;
}

/** A response around its output; `reason` is `null` while it runs. */
export function responseBody(
  head: AnswerHead,
  context: ReplyContext,
  output: readonly Json[],
  reason: FinishReason | null,
  usage: Usage | null,
): Json {
  const incomplete = reason === null ? null : incompleteReason(reason);
  const status = reason === null ? 'in_progress' : incomplete === null ? 'completed' : 'incomplete';
  return {
    id: answerId(head, context, 'resp_'),
    object: 'response',
    created_at: head.createdAtSeconds ?? context.createdAtSeconds,
    status,
    error: null,
    incomplete_details: incomplete === null ? null : { reason: incomplete },
    instructions: null,
    metadata: {},
    parallel_tool_calls: true,
    temperature: null,
    tool_choice: 'auto',
    tools: [],
    top_p: null,
    ...context.echo,
    model: head.model ?? context.model,
    previous_response_id: null,
    store: false,
    completed_at: status === 'completed' ? context.createdAtSeconds : null,
    output,
    usage: usage === null ? null : responseUsage(usage),
  };
}

export function textPart(text: string): Json {
  return { type: 'output_text', text, annotations: [], logprobs: [] };
}

export function messageItem(id: string, content: readonly Json[], status = 'completed'): Json {
  return { id, type: 'message', status, role: 'assistant', content };
}

/** Reasoning is shown as a summary; a signature travels as its encrypted content. */
export function reasoningItem(id: string, text: string, signature: Signature | null): Json {
  const native = signature?.by === 'openai' ? openAiItem(signature) : null;
  return {
    id: native?.id ?? id,
    type: 'reasoning',
    summary: text === '' ? [] : [{ type: 'summary_text', text }],
    encrypted_content: signature === null ? UNSIGNED : (native?.encrypted ?? writeSignature(signature, 'openai')),
  };
}

function openAiItem(signature: Signature): { id: string; encrypted: string } {
  const bar = signature.value.indexOf('|');
  return { id: signature.value.slice(0, bar), encrypted: signature.value.slice(bar + 1) };
}

export function callItem(
  id: string,
  call: { id: string; name: string; isCustom: boolean; args: string },
  status = 'completed',
): Json {
  return call.isCustom
    ? { id: `ctc_${id}`, type: 'custom_tool_call', status, call_id: call.id, name: call.name, input: call.args }
    : { id: `fc_${id}`, type: 'function_call', status, call_id: call.id, name: call.name, arguments: call.args };
}

/** A whole response. */
export function writeResponseAnswer(answer: Answer, context: ReplyContext): Json {
  const output: Json[] = [];
  for (const part of answer.parts) appendItem(output, part, context);
  return responseBody(answer.head, context, output, answer.finish, answer.usage);
}

/** A call has no place for a signature here: it goes to the reasoning before it, or into an empty item. */
function appendSignature(output: Json[], signature: Signature, id: string): void {
  const last = output.at(-1);
  if (last?.type === 'reasoning' && last.encrypted_content === UNSIGNED)
    last.encrypted_content = writeSignature(signature, 'openai');
  else output.push(reasoningItem(id, '', signature));
}

function appendItem(output: Json[], part: AnswerPart, context: ReplyContext): void {
  const id = `${context.requestId}_${output.length}`;
  switch (part.kind) {
    case 'text':
    case 'refusal': {
      const content = part.kind === 'text' ? textPart(part.text) : { type: 'refusal', refusal: part.text };
      const last = output.at(-1);
      if (last?.type === 'message') (last.content as Json[]).push(content);
      else output.push(messageItem(`msg_${id}`, [content]));
      return;
    }
    case 'thinking':
      output.push(reasoningItem(`rs_${id}`, part.text, part.signature));
      return;
    case 'call':
      if (part.signature !== null) appendSignature(output, part.signature, `rs_${id}`);
      output.push(callItem(`${context.requestId}_${output.length}`, { ...part, id: part.id ?? `call_${id}` }));
  }
}
