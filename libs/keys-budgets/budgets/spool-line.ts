import { crc32 } from 'node:zlib';

/**
 * Kind of a line: `I` an intent (already a valid row: unknown at its bound), `S` a settled row, `N` the last line of a
 * segment, naming the next one, so that a segment missing at the end is noticed.
 */
export type LineKind = 'I' | 'S' | 'N';

const NEWLINE = 10;
const HEAD = 9; // kind + eight hex digits

/** One line of a spool: kind, CRC-32 of the JSON text, JSON text. @param json without a line break */
export function encodeLine(kind: LineKind, json: string): string {
  return kind + (crc32(json) + 0x100000000).toString(16).slice(1) + json + '\n';
}

const NEXT_DIGITS = 16;
export const NEXT_LINE_BYTES = HEAD + '{"next":""}\n'.length + NEXT_DIGITS;

/** The line that ends a segment; always {@link NEXT_LINE_BYTES} long. @param offset where the next segment begins */
export function encodeNext(offset: number): string {
  return encodeLine('N', `{"next":"${String(offset).padStart(NEXT_DIGITS, '0')}"}`);
}

export interface SpoolLine {
  readonly kind: LineKind;
  readonly json: string;
}

/** Reads the lines of one segment. What cannot be trusted is answered as `null`; a last line without its end is left out. */
export function* decodeLines(bytes: Buffer): Generator<SpoolLine | null> {
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(NEWLINE, at);
    if (end < 0) return; // torn: its turn was never dispatched
    yield decode(bytes.subarray(at, end));
    at = end + 1;
  }
}

function decode(line: Buffer): SpoolLine | null {
  const kind = String.fromCharCode(line[0] ?? 0);
  if (line.length <= HEAD || (kind !== 'I' && kind !== 'S' && kind !== 'N')) return null;
  const json = line.subarray(HEAD);
  const sum = Number.parseInt(line.toString('latin1', 1, HEAD), 16);
  return crc32(json) === sum ? { kind, json: json.toString() } : null;
}
