import { type Answer, bytes, json } from './behaviour.js';
import type { RecordedRequest } from './recorded-request.js';
import type { Recording } from './recording.js';
import { anthropic } from './recordings-anthropic.js';
import { gemini } from './recordings-gemini.js';
import { openaiChat, openaiOther, openaiResponses } from './recordings-openai.js';

/** Every recording by name. */
export const recordings = { ...openaiChat, ...openaiResponses, ...openaiOther, ...anthropic, ...gemini };

/** A recording as the answer to a call: frame by frame, `gapMs` apart; plain ones with their content-length. */
export function replay(
  recording: Recording,
  more: Omit<Answer, 'kind' | 'body'> & { readonly gapMs?: number } = {},
): Answer {
  const { gapMs = 0, ...rest } = more;
  const { frames, contentType } = recording;
  const body = gapMs === 0 ? frames : frames.flatMap((frame, i) => (i === 0 ? [frame] : [{ waitMs: gapMs }, frame]));
  const framing = frames.length === 1 ? { framing: Buffer.byteLength(frames[0] ?? '') } : {};
  return bytes(body, { ...framing, ...rest, headers: { 'content-type': contentType, ...rest.headers } });
}

/** The recording that fits a request by path and body: what a well-behaved provider would answer. `null`: none does. */
export function recordingFor(request: RecordedRequest): Recording | null {
  const [path = '', query = ''] = request.target.split('?', 2);
  const body = bodyOf(request);
  const isStream = body['stream'] === true;
  const hasTools = Array.isArray(body['tools']) && body['tools'].length > 0;
  if (path.endsWith('/chat/completions')) {
    if (!isStream) return hasTools ? recordings.chatTools : recordings.chat;
    const options = body['stream_options'] as { include_usage?: unknown } | undefined;
    if (options?.include_usage !== true) return recordings.chatStreamWithoutUsage;
    return hasTools ? recordings.chatStreamTools : recordings.chatStream;
  }
  if (path.endsWith('/responses')) return isStream ? recordings.responsesStream : recordings.responses;
  if (path.endsWith('/embeddings'))
    return body['encoding_format'] === 'base64' ? recordings.embeddingsBase64 : recordings.embeddings;
  if (path.endsWith('/completions')) return recordings.completion;
  if (path.endsWith('/messages/count_tokens')) return recordings.countTokens;
  if (path.endsWith('/messages')) return isStream ? recordings.messagesStream : recordings.messages;
  return geminiRecording(path, query, hasTools) ?? modelsRecording(path, request);
}

function geminiRecording(path: string, query: string, hasTools: boolean): Recording | null {
  if (path.endsWith(':streamGenerateContent'))
    return /(^|&)alt=sse(&|$)/.test(query) ? recordings.generateStream : recordings.generateArray;
  if (path.endsWith(':generateContent')) return hasTools ? recordings.generateTools : recordings.generate;
  if (path.endsWith(':countTokens')) return recordings.geminiCountTokens;
  return path.endsWith(':embedContent') ? recordings.geminiEmbed : null;
}

function modelsRecording(path: string, request: RecordedRequest): Recording | null {
  if (!path.endsWith('/models')) return null;
  if (path.startsWith('/v1beta/')) return recordings.geminiModels;
  return request.header('anthropic-version') === undefined ? recordings.openaiModels : recordings.anthropicModels;
}

/** Answers any call of the three dialects with its recording. */
export function answerWithRecording(
  request: RecordedRequest,
  more: { readonly beforeMs?: number; readonly gapMs?: number } = {},
): Answer {
  const recording = recordingFor(request);
  return recording === null
    ? json({ error: { message: `nothing recorded for ${request.method} ${request.target}` } }, { status: 404 })
    : replay(recording, more);
}

function bodyOf(request: RecordedRequest): Record<string, unknown> {
  try {
    const body = request.json();
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
