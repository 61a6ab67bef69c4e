import { AppError } from '#libs/platform/errors.js';

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
/** Largest line of a provider's stream that is kept until its end arrives; beyond it the stream is refused. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

const DATA = 0x64; // 'd', of "data"
const NOTHING = Buffer.alloc(0);

/**
 * Server-sent events out of bytes cut anywhere. Only `data:` matters here: every provider says in the JSON what the event is.
 * Text is decoded per whole line, so that no character is cut.
 */
export class EventSplitter {
  private parts: Buffer[] = [];
  private keptBytes = 0;
  private data: string | null = null;

  constructor(private readonly onEvent: (data: string) => void) {}

  push(bytes: Buffer): void {
    let start = 0;
    for (let lf = bytes.indexOf(LF); lf >= 0; lf = bytes.indexOf(LF, start)) {
      this.line(this.join(bytes.subarray(start, lf)));
      start = lf + 1;
    }
    if (start < bytes.length) this.keep(bytes.subarray(start));
  }

  /** The stream is over: an event without its blank line still counts. */
  end(): void {
    if (this.keptBytes > 0) this.line(this.join(NOTHING));
    this.dispatch();
  }

  private keep(bytes: Buffer): void {
    this.keptBytes += bytes.length;
    if (this.keptBytes > MAX_LINE_BYTES)
      throw new AppError('upstream_invalid', { text: 'The model provider sent an event that is too large.' });
    this.parts.push(bytes);
  }

  private join(end: Buffer): Buffer {
    if (this.keptBytes === 0) return end;
    const line =
      this.parts.length === 1 && end.length === 0 ? (this.parts[0] as Buffer) : Buffer.concat([...this.parts, end]);
    this.parts = [];
    this.keptBytes = 0;
    return line;
  }

  private line(line: Buffer): void {
    const end = line[line.length - 1] === CR ? line.length - 1 : line.length;
    if (end === 0) return this.dispatch();
    if (line[0] !== DATA || line[4] !== COLON || line.toString('latin1', 0, 4) !== 'data') return;
    const text = line.toString('utf8', line[5] === SPACE ? 6 : 5, end);
    this.data = this.data === null ? text : `${this.data}\n${text}`;
  }

  private dispatch(): void {
    if (this.data === null) return;
    const data = this.data;
    this.data = null;
    this.onEvent(data);
  }
}
