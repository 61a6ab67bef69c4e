import type { Operation } from '#libs/dialects/index.js';

/** `nothing`: only what opens a stream. `content`: what the caller would see, or an end. `junk`: no event of any dialect. */
export type Beginning = 'nothing' | 'content' | 'junk';

/**
 * What events at the beginning of a stream carry. While only such as open it have come, another target can still take the
 * call. What is not known counts as content.
 *
 * @param block whole SSE events, of the provider's format
 */
export function beginningOf(operation: Operation, block: Buffer): Beginning {
  for (const event of block.toString('utf8').split(/\r?\n\r?\n/)) {
    const data = dataOf(event);
    if (data === null) continue;
    const said = parsed(data);
    if (said === null) return 'junk';
    if (OPENS[operation]?.(said) !== true) return 'content';
  }
  return 'nothing';
}

/** `null`: a comment, or an event that says nothing. */
function dataOf(event: string): string | null {
  const lines = event.split(/\r?\n/).filter((line) => line.replace(/^\uFEFF/, '').startsWith('data:'));
  return lines.length === 0 ? null : lines.map((line) => line.slice(line.indexOf(':') + 1)).join('\n');
}

type Json = Readonly<Record<string, unknown>>;

function parsed(data: string): Json | null {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
  } catch {
    return null;
  }
}

/** Names what a part is and says nothing by itself. */
const NAMING = new Set(['role', 'type', 'thought']);

/** Empty text, empty lists, and what is made of these alone. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true;
  if (Array.isArray(value)) return value.every(isEmpty);
  return typeof value === 'object' && Object.entries(value).every(([name, part]) => NAMING.has(name) || isEmpty(part));
}

function listIn(value: unknown): readonly (Json | null)[] | null {
  return Array.isArray(value) ? (value as readonly (Json | null)[]) : null;
}

/** The first chunk of a chat names the role; Azure sends its filter's findings before, others the usage. */
function opensChoices({ choices }: Json): boolean {
  const all = listIn(choices);
  return all?.every((one) => isEmpty(one?.['finish_reason']) && isEmpty([one?.['delta'], one?.['text']])) === true;
}

const OPENS: Readonly<Partial<Record<Operation, (event: Json) => boolean>>> = {
  chat: opensChoices,
  completions: opensChoices,
  messages: ({ type, content_block: block }) =>
    type === 'message_start' || type === 'ping' || (type === 'content_block_start' && isEmpty(block)),
  responses: ({ type, part }) =>
    /^response\.(created|queued|in_progress|output_item\.added)$/.test(String(type)) ||
    (type === 'response.content_part.added' && isEmpty(part)),
  stream_generate: ({ candidates, promptFeedback: feedback }) =>
    isEmpty(feedback) &&
    (listIn(candidates ?? [])?.every((one) => isEmpty([one?.['content'], one?.['finishReason']])) ?? false),
};
