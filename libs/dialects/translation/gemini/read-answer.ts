import { badOutput, count, nested, objectsOf, stringOf } from '../answers.js';
import type { Answer, AnswerPart, FinishReason, Usage } from '../answer-model.js';
import { readSignature, type Signature } from '../signatures.js';
import type { Json } from '../request-model.js';

const REASONS: Readonly<Record<string, FinishReason>> = {
  STOP: 'stop',
  MAX_TOKENS: 'length',
  FINISH_REASON_UNSPECIFIED: 'stop',
};
/** The model failed to write what it wanted: an error, not an end. */
const FAILED: ReadonlySet<string> = new Set([
  'MALFORMED_FUNCTION_CALL',
  'UNEXPECTED_TOOL_CALL',
  'TOO_MANY_TOOL_CALLS',
  'MALFORMED_RESPONSE',
]);

/** What is none of the known reasons is one of Google's filters. @throws AppError `upstream_bad_output` when the model failed */
export function finishOfCandidate(candidate: Json, reason: string, hasCalls: boolean): FinishReason {
  if (FAILED.has(reason)) throw badOutput(stringOf(candidate.finishMessage) ?? `The model ended with ${reason}.`);
  const read = REASONS[reason] ?? 'content_filter';
  return read === 'stop' && hasCalls ? 'tool_calls' : read;
}

/** The prompt holds the cached tokens; thoughts and tool prompts come on top of the other counts. */
export function usageOfGemini(value: unknown): Usage | null {
  const usage = nested(value);
  if (usage.promptTokenCount === undefined && usage.candidatesTokenCount === undefined) return null;
  const thoughts = count(usage.thoughtsTokenCount);
  return {
    inputTokens: count(usage.promptTokenCount) + count(usage.toolUsePromptTokenCount),
    cachedTokens: count(usage.cachedContentTokenCount),
    cacheWrite5mTokens: 0,
    cacheWrite1hTokens: 0,
    outputTokens: count(usage.candidatesTokenCount) + thoughts,
    reasoningTokens: thoughts,
  };
}

export function signatureOfPart(part: Json): Signature | null {
  const value = stringOf(part.thoughtSignature) ?? '';
  return value === '' ? null : readSignature(value, 'gemini');
}

export function headOf(body: Json): Answer['head'] {
  return { id: stringOf(body.responseId), model: stringOf(body.modelVersion), createdAtSeconds: null };
}

/** A whole answer of generateContent. @throws AppError `upstream_bad_output` */
export function readGenerateAnswer(body: Json): Answer {
  const candidate = nested(objectsOf(body.candidates)[0]);
  const parts = objectsOf(nested(candidate.content).parts).flatMap(readPart);
  const reason = stringOf(candidate.finishReason);
  // A blocked prompt has no candidate at all.
  const isBlocked = stringOf(nested(body.promptFeedback).blockReason) !== null && reason === null;
  const hasCalls = parts.some((part) => part.kind === 'call');
  const finish = isBlocked ? 'content_filter' : finishOfCandidate(candidate, reason ?? 'STOP', hasCalls);
  return { head: headOf(body), parts, finish, stopSequence: null, usage: usageOfGemini(body.usageMetadata) };
}

function readPart(part: Json): AnswerPart[] {
  const signature = signatureOfPart(part);
  const call = nested(part.functionCall);
  if (typeof call.name === 'string') {
    const args = JSON.stringify(call.args ?? {});
    return [{ kind: 'call', id: stringOf(call.id), name: call.name, args, isCustom: false, signature }];
  }
  const text = stringOf(part.text) ?? '';
  if (part.thought === true) return [{ kind: 'thinking', text, signature }];
  const said: AnswerPart[] = text === '' ? [] : [{ kind: 'text', text }];
  return signature === null ? said : [{ kind: 'thinking', text: '', signature }, ...said];
}
