import type { Operation, StreamEnding } from '../dialect.js';
import { lastObjectOf } from '../found-object.js';

const DONE = Buffer.from('data: [DONE]');
const ERROR_FRAME = Buffer.from('data: {"error"');
const FINISHED = /"finish_reason":\s*"/;
const RESPONSE_OVER = /"type":\s*"response\.(completed|incomplete)"/;
const RESPONSE_FAILED = /"type":\s*"(response\.failed|error)"/;

/** Chat ends with `[DONE]` (some servers leave it out after a finish reason), Responses with one of its last events. */
export function openAiEnding(operation: Operation, tail: Buffer): StreamEnding {
  if (operation === 'responses') {
    const text = tail.toString('latin1');
    if (RESPONSE_OVER.test(text)) return 'done';
    return RESPONSE_FAILED.test(text) ? 'failed' : 'cut';
  }
  if (tail.includes(ERROR_FRAME)) return 'failed';
  return tail.includes(DONE) || FINISHED.test(tail.toString('latin1')) ? 'done' : 'cut';
}

const EMPTY_CHOICES = Buffer.from('"choices":');
const EVENT_END = Buffer.from('\n\n');

/**
 * Takes the usage chunk (empty `choices`, only sent because the gateway asked for it) out of a block of whole SSE events.
 * Azure's content-filter chunks have empty `choices` too but no usage object: those stay.
 */
export function withoutUsageChunk(block: Buffer): Buffer {
  for (let at = block.indexOf(EMPTY_CHOICES); at >= 0; at = block.indexOf(EMPTY_CHOICES, at + 1)) {
    if (!/^\s*\[\s*\]/.test(block.toString('latin1', at + EMPTY_CHOICES.length, at + EMPTY_CHOICES.length + 8)))
      continue;
    const before = block.lastIndexOf(EVENT_END, at);
    const start = before < 0 ? 0 : before + EVENT_END.length;
    const after = block.indexOf(EVENT_END, at);
    const end = after < 0 ? block.length : after + EVENT_END.length;
    if (lastObjectOf(block.subarray(start, end), 'usage') === null) continue;
    return Buffer.concat([block.subarray(0, start), block.subarray(end)]);
  }
  return block;
}
