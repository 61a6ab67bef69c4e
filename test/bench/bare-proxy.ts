// Row d, the yardstick: Fastify 5 and undici's dispatch, the body as a Buffer, the reply hijacked, no features at all.
// Usage: bare-proxy.js <upstream origin>
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import Fastify from 'fastify';
import { Pool, type Dispatcher } from 'undici';
import { announce } from './announce.js';

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'proxy-connection',
  'proxy-authenticate',
  'te',
  'trailer',
]);
const NOT_FORWARDED = new Set([...HOP_BY_HOP, 'host', 'content-length', 'expect']);
const WHOLE_BODY_LIMIT_BYTES = 1 << 20;

function copied(headers: IncomingHttpHeaders, left: ReadonlySet<string>): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = {};
  for (const name in headers) if (!left.has(name)) out[name] = headers[name] as string | string[];
  return out;
}

/** Writes the upstream's answer into the caller's response: one piece when its length is known, else chunk by chunk. */
class BareRelay implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse;
  #status = 0;
  #headers: Record<string, string | string[]> = {};
  #parts: Buffer[] | null = null;
  #over = false;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#response.once('close', () => {
      if (!this.#over) controller.abort(new Error('client gone'));
    });
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = copied(headers, HOP_BY_HOP);
    const length = headers['content-length'];
    if (length !== undefined && Number(length) <= WHOLE_BODY_LIMIT_BYTES) {
      this.#parts = [];
    } else {
      this.#response.writeHead(status, this.#headers);
      this.#response.flushHeaders();
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#parts !== null) {
      this.#parts.push(chunk);
      return;
    }
    if (!this.#response.write(chunk)) {
      controller.pause();
      this.#response.once('drain', () => controller.resume());
    }
  }

  onResponseEnd(): void {
    this.#over = true;
    if (this.#parts === null) {
      this.#response.end();
      return;
    }
    this.#response.writeHead(this.#status, this.#headers);
    this.#response.end(this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts));
  }

  onResponseError(): void {
    if (this.#over) return;
    this.#over = true;
    if (!this.#response.destroyed && this.#response.headersSent) this.#response.destroy();
    else this.#response.writeHead(502).end();
  }
}

const origin = process.argv[2] as string;
const pool = new Pool(origin, {
  connections: null,
  pipelining: 1,
  keepAliveTimeout: 60_000,
  headersTimeout: 300_000,
  bodyTimeout: 300_000,
});
const app = Fastify({ logger: false, bodyLimit: 64 << 20 });
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
app.post('/*', (request, reply) => {
  reply.hijack();
  pool.dispatch(
    {
      path: request.raw.url as string,
      method: 'POST',
      headers: copied(request.raw.headers, NOT_FORWARDED),
      body: request.body as Buffer,
    },
    new BareRelay(reply.raw),
  );
});
announce(await app.listen({ host: '127.0.0.1', port: 0 }));
