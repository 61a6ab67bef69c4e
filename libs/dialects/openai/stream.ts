import type { Operation, StreamEnding } from '../dialect.js';
import { lastObjectOf } from '../found-object.js';

const DONE = /(^|\n)data: ?\[DONE\]/;
/** `isErrorRoot` by bytes, where the error comes first. */
const ERROR_FRAME = /(^|\n)data: ?\{\s*"error"\s*:\s*(\{|"[^"])/;
/** The reasons in the order in which they stand; the last one is the latest. */
const FINISH_REASONS = /"finish_reason":\s*(null|"[a-z_]*")/g;
const RESPONSE_OVER = /"type":\s*"response\.(completed|incomplete)"/;
const RESPONSE_FAILED = /"type":\s*"(response\.failed|error)"/;

/**
 * Chat ends with `[DONE]`; some servers leave it out, then the latest chunk must have given a reason (with `n` > 1 another
 * choice may have finished long before). Responses end with one of their last events.
 */
export function openAiEnding(operation: Operation, tail: Buffer): StreamEnding {
  const text = tail.toString('latin1');
  if (operation === 'responses') {
    if (RESPONSE_OVER.test(text)) return 'done';
    return RESPONSE_FAILED.test(text) ? 'failed' : 'cut';
  }
  const reason = [...text.matchAll(FINISH_REASONS)].at(-1)?.[1];
  if (ERROR_FRAME.test(text) || reason === '"error"') return 'failed';
  return DONE.test(text) || (reason !== undefined && reason !== 'null') ? 'done' : 'cut';
}

const CHOICES = Buffer.from('"choices":');
/** Line ends come as LF or CRLF, so an event ends with one of these. */
const EVENT_ENDS = [Buffer.from('\n\n'), Buffer.from('\n\r\n')];

/** Where the event around `at` begins and where the next one does. */
function eventAround(block: Buffer, at: number): { readonly start: number; readonly end: number } {
  let [start, end] = [0, block.length];
  for (const mark of EVENT_ENDS) {
    const before = block.lastIndexOf(mark, at);
    if (before >= 0) start = Math.max(start, before + mark.length);
    const after = block.indexOf(mark, at);
    if (after >= 0) end = Math.min(end, after + mark.length);
  }
  return { start, end };
}

/**
 * Takes the usage chunk (empty `choices`, only sent because the gateway asked for it) out of a block of whole SSE events.
 * Azure's content-filter chunks have empty `choices` too but no usage object: those stay.
 */
export function withoutUsageChunk(block: Buffer): Buffer {
  for (let at = block.indexOf(CHOICES); at >= 0; at = block.indexOf(CHOICES, at + 1)) {
    if (!/^\s*\[\s*\]/.test(block.toString('latin1', at + CHOICES.length, at + CHOICES.length + 8))) continue;
    const { start, end } = eventAround(block, at);
    if (lastObjectOf(block.subarray(start, end), 'usage') === null) continue;
    return Buffer.concat([block.subarray(0, start), block.subarray(end)]);
  }
  return block;
}
