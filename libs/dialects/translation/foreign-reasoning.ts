import { removeMembers } from '../members.js';
import { elementsOf, parseSpan, scanObject, splice, type Edit, type Span } from '../scan.js';
import { isObject } from './fields.js';
import { SIGNATURE_MARK } from './signatures.js';
import type { Surface } from './surface.js';

/** A body, and the names of what was left out of it. */
export interface OwnReasoning {
  readonly body: Buffer;
  readonly dropped: readonly string[];
}

const OPEN_BRACE = 0x7b;
const NOTHING: readonly string[] = [];
/** A message must not be empty. */
const STAND_IN = '{"type":"text","text":"(reasoning)"}';

/**
 * A body of the provider's own dialect, without reasoning that another provider left in the conversation: the provider
 * would refuse signatures it did not make. Callers come to that by changing the model in the middle of a conversation. Every
 * other byte stays as it is. A body without our mark, that is nearly every one, comes back as the same Buffer after one
 * search.
 * @throws AppError `invalid_json`, or `invalid_request` where a field stands twice
 */
export function withoutForeignReasoning({ operation }: Surface, body: Buffer): OwnReasoning {
  if (!body.includes(SIGNATURE_MARK)) return { body, dropped: NOTHING };
  switch (operation) {
    case 'messages':
    case 'count_tokens': {
      const contents = elements(body, whole(body), 'messages').map((message) => elements(body, message, 'content'));
      const edits = contents.flatMap((blocks) => removed(blocks, isMarkedBlock(body), STAND_IN));
      return edited(body, edits, 'messages[].content[].thinking');
    }
    case 'responses': {
      const isMarkedItem = (item: Span): boolean => isMarked(valueOf(body, item, 'encrypted_content'));
      return edited(body, removed(elements(body, whole(body), 'input'), isMarkedItem), 'input[].encrypted_content');
    }
    case 'generate':
    case 'stream_generate': {
      const parts = elements(body, whole(body), 'contents').flatMap((content) => elements(body, content, 'parts'));
      const signatures = parts.map((part) => fieldOf(body, part, 'thoughtSignature')).filter((span) => span !== null);
      const foreign = signatures.filter((span) => isMarked(parseSpan(body, span)));
      return edited(body, removeMembers(body, foreign), 'contents[].parts[].thoughtSignature');
    }
    default:
      return { body, dropped: NOTHING };
  }
}

function edited(body: Buffer, edits: readonly Edit[], name: string): OwnReasoning {
  return { body: splice(body, edits), dropped: edits.length === 0 ? NOTHING : [name] };
}

const isMarked = (value: unknown): boolean => typeof value === 'string' && value.startsWith(SIGNATURE_MARK);
const whole = ({ length }: Buffer): Span => ({ start: 0, end: length });

const isMarkedBlock =
  (body: Buffer) =>
  (span: Span): boolean => {
    const block = parseSpan(body, span);
    return isObject(block) && (isMarked(block.signature) || isMarked(block.data));
  };

/** Where the value of a field lies in the object that lies in `span`. */
function fieldOf(body: Buffer, span: Span, name: string): Span | null {
  const found = scanObject(body.subarray(span.start, span.end), new Set([name])).fields.get(name);
  return found === undefined ? null : { start: span.start + found.start, end: span.start + found.end };
}

function valueOf(body: Buffer, span: Span, name: string): unknown {
  const found = fieldOf(body, span, name);
  return found === null ? undefined : parseSpan(body, found);
}

/** The objects in the list that a field of an object holds; none where it holds anything else. */
function elements(body: Buffer, span: Span, name: string): readonly Span[] {
  const found = fieldOf(body, span, name);
  const list = found === null ? null : elementsOf(body, found);
  return list?.every(({ start }) => body[start] === OPEN_BRACE) === true ? list : [];
}

/** The edits that take elements out of a list, each with a comma; `standIn` goes in where none is left. */
function removed(list: readonly Span[], isGone: (one: Span) => boolean, standIn = ''): Edit[] {
  const edits: Edit[] = [];
  let kept: Span | null = null;
  for (const [at, one] of list.entries()) {
    const next = list[at + 1];
    if (!isGone(one)) kept = one;
    else if (kept !== null) edits.push({ start: (list[at - 1] as Span).end, end: one.end, text: '' });
    else edits.push({ start: one.start, end: next?.start ?? one.end, text: next === undefined ? standIn : '' });
  }
  return edits;
}
