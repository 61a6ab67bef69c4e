import type { Operation } from '../dialect.js';

const OVER = /"type":\s*"(message_stop|error)"/;

/** A message stream is over with `message_stop`, or with an error event of the upstream's own. */
export function anthropicEndsWell(_operation: Operation, tail: Buffer): boolean {
  return OVER.test(tail.toString('latin1'));
}
