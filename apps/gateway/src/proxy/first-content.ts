import type { Operation } from '#libs/dialects/index.js';

/**
 * Whether events of a stream carry content, or an end, that the caller would see; what only opens a stream does not. While
 * nothing else has come, another target can still take the call. What is not known counts as content.
 *
 * @param block whole SSE events, of the provider's format
 */
export function beginsContent(operation: Operation, block: Buffer): boolean {
  const rules = OPENERS[operation];
  if (rules === undefined) return true;
  return block
    .toString('utf8')
    .split(/\r?\n\r?\n/)
    .some((event) => event.trim() !== '' && !isComment(event) && !rules.some((rule) => rule(event)));
}

type Rule = (event: string) => boolean;

const isComment = (event: string): boolean => event.split(/\r?\n/).every((line) => line === '' || line.startsWith(':'));
const names =
  (pattern: RegExp): Rule =>
  (event) =>
    pattern.test(event.slice(0, 512));

/** The first chunk of a chat names the role and holds an empty text at most; Azure sends its filter's findings before. */
const opensChat: Rule = (event) => {
  if (/"finish_reason"\s*:\s*"/.test(event)) return false;
  if (/"choices"\s*:\s*\[\s*\]/.test(event)) return !/"usage"\s*:\s*\{/.test(event);
  return /"delta"\s*:\s*\{\s*("(role|content|refusal)"\s*:\s*("assistant"|""|null)\s*,?\s*)*\}/.test(event);
};

const OPENERS: Readonly<Partial<Record<Operation, readonly Rule[]>>> = {
  chat: [opensChat],
  messages: [names(/"type"\s*:\s*"(message_start|ping)"/)],
  responses: [names(/"type"\s*:\s*"response\.(created|queued|in_progress)"/)],
};

/** Whether a JSON answer, or the array that Gemini streams, begins with an error. */
export function beginsWithError(chunk: Buffer): boolean {
  return /^\s*\[?\s*\{\s*"error"\s*:/.test(chunk.toString('latin1', 0, 512));
}
