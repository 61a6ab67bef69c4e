import type { Operation, StreamEnding } from '../dialect.js';

const DONE = /"type":\s*"message_stop"/;
const FAILED = /"type":\s*"error"/;

/** A message stream is over with `message_stop`, or with an error event of the provider's own. */
export function anthropicEnding(_operation: Operation, tail: Buffer): StreamEnding {
  const text = tail.toString('latin1');
  if (DONE.test(text)) return 'done';
  return FAILED.test(text) ? 'failed' : 'cut';
}
