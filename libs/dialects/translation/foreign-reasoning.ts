import { isObject } from './fields.js';
import type { Json } from './request-model.js';
import { SIGNATURE_MARK } from './signatures.js';
import type { Surface } from './surface.js';

const isMarked = (value: unknown): boolean => typeof value === 'string' && value.startsWith(SIGNATURE_MARK);

/**
 * A body of the provider's own dialect, without reasoning that another provider left in the conversation: the provider
 * would refuse signatures it did not make. Callers come to that by changing the model in the middle of a conversation. A body
 * without our mark, that is nearly every one, comes back as the same Buffer after one search.
 */
export function withoutForeignReasoning(surface: Surface, body: Buffer): Buffer {
  if (!body.includes(SIGNATURE_MARK)) return body;
  const request: unknown = JSON.parse(body.toString());
  if (!isObject(request)) return body;
  switch (surface.operation) {
    case 'messages':
    case 'count_tokens':
      request.messages = mapped(request.messages, (message) => ({
        ...message,
        content: Array.isArray(message.content) ? ownBlocks(message.content) : message.content,
      }));
      break;
    case 'responses':
      if (Array.isArray(request.input))
        request.input = request.input.filter((item) => !(isObject(item) && isMarked(item.encrypted_content)));
      break;
    case 'generate':
    case 'stream_generate':
      request.contents = mapped(request.contents, (content) => ({
        ...content,
        parts: mapped(content.parts, unsignedPart),
      }));
      break;
    default:
      return body;
  }
  return Buffer.from(JSON.stringify(request));
}

function mapped(value: unknown, change: (object: Json) => Json): unknown {
  return Array.isArray(value) ? value.map((one: unknown) => (isObject(one) ? change(one) : one)) : value;
}

function ownBlocks(content: readonly unknown[]): unknown[] {
  const own = content.filter((block) => !(isObject(block) && (isMarked(block.signature) || isMarked(block.data))));
  // A message must not be empty.
  return own.length > 0 ? own : [{ type: 'text', text: '(reasoning)' }];
}

function unsignedPart(part: Json): Json {
  const { thoughtSignature, ...rest } = part;
  return isMarked(thoughtSignature) ? rest : part;
}
