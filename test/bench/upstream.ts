import net from 'node:net';
import { jsonAnswer, messagesStreamAnswer, streamAnswer, type StreamPieces } from './payloads.js';

const HEAD_END = Buffer.from('\r\n\r\n');
const LENGTH = Buffer.from('ength: '); // of content-length, however it is capitalised
const ANSWER = Buffer.from('x-bench-answer: ');
const LF = 0x0a;

interface OpenStream {
  readonly socket: net.Socket;
  readonly pieces: readonly Buffer[];
  next: number;
}

/**
 * A provider that costs next to nothing: raw sockets, canned answers, no HTTP parser. The request header `x-bench-answer`
 * says what it does: `json`, or `events;<id>`, `messages;<id>` (Anthropic's) and `idle;<id>` for streams, whose further pieces
 * are sent by `advance(id)`.
 */
export class CannedUpstream {
  readonly #json = jsonAnswer();
  readonly #stream = streamAnswer();
  readonly #messages = messagesStreamAnswer();
  readonly #streams = new Map<string, OpenStream>();
  readonly #server = net.createServer({ noDelay: true }, (socket) => this.#serve(socket));

  /** Number of pieces of a streamed answer. */
  get pieces(): number {
    return this.#stream.pieces.length;
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen({ host: '127.0.0.1', port: 0, backlog: 8192 }, resolve));
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Sends the next piece of a stream. */
  advance(id: string): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    const piece = stream.pieces[stream.next++];
    if (stream.next === stream.pieces.length) this.#streams.delete(id);
    if (piece !== undefined) stream.socket.write(piece);
  }

  #serve(socket: net.Socket): void {
    let bodyLeft = 0;
    let answer = '';
    let held: Buffer | null = null;
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      let data = held === null ? bytes : Buffer.concat([held, bytes]);
      held = null;
      while (data.length > 0) {
        if (answer === '') {
          const end = data.indexOf(HEAD_END);
          if (end < 0) {
            held = data;
            return;
          }
          answer = valueOf(data, ANSWER, end);
          bodyLeft = Number(valueOf(data, LENGTH, end));
          data = data.subarray(end + HEAD_END.length);
        }
        const taken = Math.min(bodyLeft, data.length);
        bodyLeft -= taken;
        data = data.subarray(taken);
        if (bodyLeft > 0) return;
        this.#answer(socket, answer);
        answer = '';
      }
    });
  }

  #answer(socket: net.Socket, answer: string): void {
    if (answer === 'json') {
      socket.write(this.#json);
      return;
    }
    const id = answer.slice(answer.indexOf(';') + 1);
    const { head, pieces }: StreamPieces = answer.startsWith('messages;') ? this.#messages : this.#stream;
    this.#streams.set(id, { socket, pieces, next: 1 });
    socket.write(Buffer.concat([head, pieces[0] as Buffer]));
  }
}

function valueOf(data: Buffer, name: Buffer, headEnd: number): string {
  const at = data.indexOf(name);
  if (at < 0 || at > headEnd) throw new Error(`a request without "${name.toString()}" reached the fake upstream`);
  return data.toString('latin1', at + name.length, data.indexOf(LF, at) - 1);
}
