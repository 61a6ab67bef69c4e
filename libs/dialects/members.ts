import type { Edit, Span } from './scan.js';

const QUOTE = 0x22;
const COMMA = 0x2c;

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Offset of the last byte before `at` that is no white space. */
function lastBefore(body: Buffer, at: number): number {
  let i = at - 1;
  while (isSpace(body[i])) i--;
  return i;
}

/** Where the member (`"name": value`) begins whose value begins at `valueStart`. Its name holds no quote. */
export function memberStart(body: Buffer, valueStart: number): number {
  const closing = lastBefore(body, lastBefore(body, valueStart));
  return body.lastIndexOf(QUOTE, closing - 1);
}

/**
 * The edits that take members out of an object together with a comma each, so that what is left is JSON again.
 * @param values where the values of the members lie, as a scan of that object found them
 */
export function removeMembers(body: Buffer, values: readonly Span[]): Edit[] {
  const edits: { start: number; end: number; text: string }[] = [];
  for (const { start: valueStart, end: valueEnd } of values.toSorted((a, b) => a.start - b.start)) {
    let start = memberStart(body, valueStart);
    let end = valueEnd;
    while (isSpace(body[end])) end++;
    if (body[end] === COMMA) {
      end++;
      while (isSpace(body[end])) end++;
    } else {
      // The last member takes the comma before it, which belongs to the first of the members that go in a row.
      while (edits.at(-1)?.end === start) start = (edits.pop() as Edit).start;
      const before = lastBefore(body, start);
      if (body[before] === COMMA) start = before;
    }
    edits.push({ start, end, text: '' });
  }
  return edits;
}
