import type { Operation } from '#libs/dialects/index.js';

/** What an error under a good status is told with. */
export const HIDDEN_STATUS = 502;

/** Members one of which every answer of an operation has. Token counts have none: a zero is left out. */
const MAIN_MEMBERS: Readonly<Partial<Record<Operation, readonly string[]>>> = {
  chat: ['choices'],
  completions: ['choices'],
  responses: ['output'],
  embeddings: ['data'],
  messages: ['content'],
  generate: ['candidates', 'promptFeedback', 'usageMetadata'],
  stream_generate: ['candidates', 'promptFeedback', 'usageMetadata'],
  gemini_embed: ['embedding'],
  gemini_batch_embed: ['embeddings'],
};

/** Whether a whole body is an answer of the operation: an object with its main member, or the array that Gemini streams. */
export function isAnswer(operation: Operation, body: Buffer): boolean {
  const parsed = parsedJson(body);
  const root: unknown = operation === 'stream_generate' && Array.isArray(parsed) ? parsed[0] : parsed;
  if (typeof root !== 'object' || root === null || Array.isArray(root)) return false;
  const members = MAIN_MEMBERS[operation];
  return members === undefined || members.some((name) => typeof (root as Members)[name] === 'object');
}

type Members = Readonly<Record<string, unknown>>;

export function isJson(body: Buffer): boolean {
  return parsedJson(body) !== undefined;
}

function parsedJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Whether the array that Gemini streams begins with an element that is no error. */
export function beginsArray(chunk: Buffer): boolean {
  return /^\s*\[\s*\{\s*"(?!error")/.test(chunk.toString('latin1', 0, 512));
}
