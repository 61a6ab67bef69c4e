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

/** Which events are parsed; content may hold the same words. */
const MAY_BE_ERROR = /^event:\s*error|"error"|"response\.failed"/m;

/**
 * The JSON text of the first error event in a block; `null` when there is none. What an event is, its name or its root says:
 * tool schemas, arguments and texts may speak of errors as they like.
 */
export function errorIn(block: Buffer): Buffer | null {
  const text = block.toString('utf8');
  if (!MAY_BE_ERROR.test(text)) return null;
  for (const event of text.split(/\r?\n\r?\n/)) {
    if (!MAY_BE_ERROR.test(event)) continue;
    const data = dataOf(event);
    if (/^event:\s*error\s*$/m.test(event) || isError(data)) return Buffer.from(data);
  }
  return null;
}

function dataOf(event: string): string {
  return event
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5).trim())
    .join('\n');
}

function isError(data: string): boolean {
  try {
    const parsed: unknown = JSON.parse(data);
    const root = (Array.isArray(parsed) ? parsed[0] : parsed) as { type?: unknown; error?: unknown } | null;
    if (root?.type === 'error' || root?.type === 'response.failed') return true;
    return typeof root?.error === 'string' ? root.error !== '' : typeof root?.error === 'object' && root.error !== null;
  } catch {
    return false;
  }
}
