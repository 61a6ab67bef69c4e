import net from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');
const LENGTH = Buffer.from('ength: '); // of content-length, however it is capitalised
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

export interface CallerEvents {
  /** A whole answer has arrived. */
  onAnswer(caller: Caller): void;
  /** Bytes of a streamed answer's body arrived, and it is not over yet. */
  onPiece(caller: Caller): void;
  onFailure(reason: string): void;
}

/** One client connection: sends one prepared request at a time and reads the answer without an HTTP parser. */
export class Caller {
  readonly id: string;
  readonly #request: Buffer;
  readonly #events: CallerEvents;
  readonly #socket: net.Socket;
  /** -1: the head of an answer is awaited; Infinity: a chunked body. */
  #bodyLeft = -1;
  #held: Buffer | null = null;
  #closing = false;

  constructor(id: string, port: number, request: Buffer, events: CallerEvents, readBufferBytes = 64 * 1024) {
    this.id = id;
    this.#request = request;
    this.#events = events;
    const onread = {
      buffer: Buffer.allocUnsafeSlow(readBufferBytes),
      callback: (length: number, buffer: Uint8Array): boolean => this.#read(buffer as Buffer, length),
    };
    this.#socket = net.connect({ host: '127.0.0.1', port, noDelay: true, onread } as net.TcpNetConnectOpts);
    this.#socket.on('error', (error) => this.#fail(error.message));
    this.#socket.on('close', () => this.#fail('the connection was closed'));
  }

  connected(): Promise<void> {
    return new Promise((resolve) => this.#socket.once('connect', resolve));
  }

  send(): void {
    this.#bodyLeft = -1;
    this.#socket.write(this.#request);
  }

  close(): void {
    this.#closing = true;
    this.#socket.destroy();
  }

  #fail(reason: string): void {
    if (this.#closing) return;
    this.close();
    this.#events.onFailure(reason);
  }

  #read(buffer: Buffer, length: number): boolean {
    let data = buffer.subarray(0, length);
    if (this.#bodyLeft < 0) {
      if (this.#held !== null) data = Buffer.concat([this.#held, data]);
      const end = data.indexOf(HEAD_END);
      if (end < 0) {
        this.#held = Buffer.from(data); // the buffer is used again
        return true;
      }
      this.#held = null;
      if (data.toString('latin1', 9, 12) !== '200') {
        this.#fail(`answered ${data.toString('utf8', 9, 600)}`);
        return true;
      }
      const at = data.indexOf(LENGTH);
      this.#bodyLeft =
        at < 0 || at > end
          ? Infinity
          : parseInt(data.toString('latin1', at + LENGTH.length, at + LENGTH.length + 9), 10);
      data = data.subarray(end + HEAD_END.length);
    }
    this.#readBody(data);
    return true;
  }

  #readBody(data: Buffer): void {
    if (this.#bodyLeft !== Infinity) {
      this.#bodyLeft -= data.length;
      if (this.#bodyLeft <= 0) this.#events.onAnswer(this);
    } else if (data.length >= LAST_CHUNK.length && data.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK)) {
      this.#events.onAnswer(this);
    } else if (data.length > 0) {
      this.#events.onPiece(this);
    }
  }
}
