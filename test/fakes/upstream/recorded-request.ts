import type { IncomingMessage, ServerResponse } from 'node:http';

/** One request as it arrived on the wire. */
export interface RecordedRequest {
  readonly method: string;
  /** Path and query exactly as sent. */
  readonly target: string;
  /** Names and values in the order and spelling in which they were sent. */
  readonly rawHeaders: readonly (readonly [name: string, value: string])[];
  /** Complete once `received` has resolved. Bodies longer than the limit are cut, see `isTruncated`. */
  readonly body: Buffer;
  readonly isTruncated: boolean;
  /** Counts connections from 0: equal numbers mean a reused connection. */
  readonly connection: number;
  /** Resolves when the whole body has arrived or the client has gone. */
  readonly received: Promise<void>;
  /** Resolves to true when the client closed before the answer was complete, to false when the answer ended first. */
  readonly closedByClient: Promise<boolean>;
  /** Value of a header, `undefined` when absent; several are joined by ", ". */
  header(name: string): string | undefined;
  /** The body as JSON; throws when it is none. */
  json(): unknown;
}

/** Fills a record while the request arrives. */
export class RequestRecorder implements RecordedRequest {
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: readonly (readonly [string, string])[];
  readonly connection: number;
  readonly received: Promise<void>;
  readonly closedByClient: Promise<boolean>;
  /** Set before the fake itself ends or breaks the answer. */
  endedByUs = false;
  isTruncated = false;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(request: IncomingMessage, response: ServerResponse, connection: number, maxBodyBytes: number) {
    this.method = request.method ?? '';
    this.target = request.url ?? '';
    this.connection = connection;
    const raw = request.rawHeaders;
    this.rawHeaders = raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1] ?? ''] as const] : []));
    request.on('data', (chunk: Buffer) => {
      const room = Math.max(0, maxBodyBytes - this.#bytes);
      if (chunk.length > room) this.isTruncated = true;
      if (room > 0) this.#chunks.push(chunk.subarray(0, room));
      this.#bytes += Math.min(room, chunk.length);
    });
    this.received = new Promise((resolve) => {
      request.once('end', resolve);
      request.once('close', resolve);
    });
    request.on('error', () => undefined); // a client that leaves in the middle; `received` has resolved by 'close'
    this.closedByClient = new Promise((resolve) => {
      response.once('close', () => resolve(!this.endedByUs && !response.writableFinished));
    });
  }
  get body(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }
  header(name: string): string | undefined {
    const values = this.rawHeaders
      .filter(([key]) => key.toLowerCase() === name.toLowerCase())
      .map(([, value]) => value);
    return values.length === 0 ? undefined : values.join(', ');
  }
  json(): unknown {
    return JSON.parse(this.body.toString('utf8'));
  }
}
