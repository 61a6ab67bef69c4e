import { AppError } from '#libs/platform/errors.js';

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
/** Largest line of a provider's stream, and largest event, that is kept until its end arrives; beyond it the stream is refused. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

const DATA = 0x64617461; // "data"
const NOTHING = Buffer.alloc(0);
const BOM = Buffer.from('\ufeff');

/**
 * Server-sent events out of bytes cut anywhere. Only `data:` matters here: every provider says in the JSON what the event is.
 * Text is decoded per whole line, so that no character is cut.
 */
export class EventSplitter {
  private parts: Buffer[] = [];
  private keptBytes = 0;
  private data: string | null = null;
  private isFirstLine = true;

  constructor(private readonly onEvent: (data: string) => void) {}

  push(bytes: Buffer): void {
    let start = 0;
    for (let lf = bytes.indexOf(LF); lf >= 0; lf = bytes.indexOf(LF, start)) {
      if (this.keptBytes === 0) this.line(bytes, start, lf);
      else this.keptLine(bytes.subarray(start, lf));
      start = lf + 1;
    }
    if (start < bytes.length) this.keep(bytes.subarray(start));
  }

  /** The stream is over: an event without its blank line still counts. */
  end(): void {
    if (this.keptBytes > 0) this.keptLine(NOTHING);
    this.dispatch();
  }

  private keep(bytes: Buffer): void {
    this.keptBytes += bytes.length;
    if (this.keptBytes > MAX_LINE_BYTES) throw tooLarge();
    this.parts.push(bytes);
  }

  /** A line whose beginning was kept. */
  private keptLine(end: Buffer): void {
    const line = Buffer.concat([...this.parts, end]);
    this.parts = [];
    this.keptBytes = 0;
    this.line(line, 0, line.length);
  }

  private line(bytes: Buffer, from: number, lf: number): void {
    let start = from;
    if (this.isFirstLine) {
      this.isFirstLine = false;
      // A byte order mark may stand at the beginning of a stream (HTML Standard, server-sent events).
      if (bytes.subarray(from, from + BOM.length).equals(BOM)) start += BOM.length;
    }
    const end = lf > start && bytes[lf - 1] === CR ? lf - 1 : lf;
    if (end === start) return this.dispatch();
    if (end - start < 5 || bytes.readUInt32BE(start) !== DATA || bytes[start + 4] !== COLON) return;
    const text = bytes.toString('utf8', bytes[start + 5] === SPACE ? start + 6 : start + 5, end);
    this.data = this.data === null ? text : `${this.data}\n${text}`;
    if (this.data.length > MAX_LINE_BYTES) throw tooLarge();
  }

  private dispatch(): void {
    if (this.data === null) return;
    const data = this.data;
    this.data = null;
    this.onEvent(data);
  }
}

function tooLarge(): AppError {
  return new AppError('upstream_invalid', { text: 'The model provider sent an event that is too large.' });
}
