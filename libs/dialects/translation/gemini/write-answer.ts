import { badArguments } from '../answers.js';
import type { Answer, AnswerPart, FinishReason, Usage } from '../answer-model.js';
import { parseArgs } from '../arguments.js';
import type { Json, ReplyContext } from '../request-model.js';
import { writeSignature, type Signature } from '../signatures.js';

const REASONS: Readonly<Record<FinishReason, string>> = {
  stop: 'STOP',
  stop_sequence: 'STOP',
  length: 'MAX_TOKENS',
  tool_calls: 'STOP',
  content_filter: 'SAFETY',
  pause: 'STOP',
  context_full: 'MAX_TOKENS',
};

export function candidateReason(reason: FinishReason): string {
  return REASONS[reason];
}

/** Google counts thoughts apart from the answer. */
export function geminiUsage(usage: Usage): Json {
  return {
    promptTokenCount: usage.inputTokens,
    ...(usage.cachedTokens === 0 ? {} : { cachedContentTokenCount: usage.cachedTokens }),
    candidatesTokenCount: Math.max(0, usage.outputTokens - usage.reasoningTokens),
    ...(usage.reasoningTokens === 0 ? {} : { thoughtsTokenCount: usage.reasoningTokens }),
    totalTokenCount: usage.inputTokens + usage.outputTokens,
  };
}

export function signed(part: Json, signature: Signature | null): Json {
  return signature === null ? part : { ...part, thoughtSignature: writeSignature(signature, 'gemini') };
}

/** A function call as a part. @throws AppError `upstream_bad_output` when its arguments are no JSON object */
export function callPart(
  call: { id: string | null; name: string; args: string; signature: Signature | null },
  fallbackId: string,
): Json {
  const args = parseArgs(call.args);
  if (args === null) throw badArguments(call.name);
  return signed({ functionCall: { id: call.id ?? fallbackId, name: call.name, args } }, call.signature);
}

/** A whole answer of generateContent. @throws AppError `upstream_invalid` */
export function writeGenerateAnswer(answer: Answer, context: ReplyContext): Json {
  const parts = answer.parts.flatMap((part, i) => writePart(part, answer, `call_${context.requestId}_${i}`));
  return {
    candidates: [{ content: { parts, role: 'model' }, finishReason: candidateReason(answer.finish), index: 0 }],
    ...(answer.usage === null ? {} : { usageMetadata: geminiUsage(answer.usage) }),
    modelVersion: answer.head.model ?? context.model,
    responseId: answer.head.id ?? context.requestId,
  };
}

function writePart(part: AnswerPart, answer: Answer, fallbackId: string): Json[] {
  switch (part.kind) {
    case 'text':
    case 'refusal':
      return [{ text: part.text }];
    case 'thinking':
      return [signed({ text: part.text, thought: true }, part.signature)];
    case 'call': {
      const isCut = answer.finish === 'length' || answer.finish === 'context_full';
      // A call the limit cut off cannot be made; the finish reason tells.
      return isCut && parseArgs(part.args) === null ? [] : [callPart(part, fallbackId)];
    }
  }
}
