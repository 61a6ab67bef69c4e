import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type Behaviour, json } from './behaviour.js';
import { perform } from './perform.js';
import { type RecordedRequest, RequestRecorder } from './recorded-request.js';

/** Which requests a behaviour is for. A text in `path` is the whole path without query. */
export type Matcher =
  | { readonly method?: string; readonly path?: string | RegExp; readonly model?: string }
  | ((request: RecordedRequest) => boolean);

type Reaction = Behaviour | ((request: RecordedRequest) => Behaviour);

export interface FakeUpstream {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  readonly port: number;
  /** Every request since the start or the last `reset()`, oldest first; only the last `maxRecorded` are kept. */
  readonly requests: readonly RecordedRequest[];
  /** Connections accepted since the start, and those open now. */
  readonly connections: { readonly total: number; readonly open: number };
  /**
   * Says how to behave. `'next'`: the next request that no other `'next'` takes, first come first served. A matcher: every
   * such request, `times` of them if given; the latest registered wins.
   */
  respond(when: 'next' | Matcher, reaction: Reaction, options?: { readonly times?: number }): void;
  /** Resolves with request number `count` (from 1) once its body is here. Rejects after `timeoutMs` (default 5,000). */
  waitForRequest(count: number, timeoutMs?: number): Promise<RecordedRequest>;
  /** Forgets behaviours and records. */
  reset(): void;
  stop(): Promise<void>;
}

export interface FakeUpstreamOptions {
  readonly port?: number;
  /** What to do with requests nothing was said about; default 404. */
  readonly fallback?: Reaction;
  /** Requests under this path steer the fake: they are neither recorded nor matched. */
  readonly control?: { readonly prefix: string; readonly handle: (request: RecordedRequest) => Behaviour };
  /** Records kept, oldest dropped; default 1,000. */
  readonly maxRecorded?: number;
  /** Longer bodies are read but cut in the record; default 64 MiB. */
  readonly maxBodyBytes?: number;
}

interface Rule {
  readonly matches: (request: RecordedRequest) => boolean;
  readonly needsBody: boolean;
  readonly reaction: Reaction;
  left: number;
}

const UNSCRIPTED: Behaviour = json(
  { error: { message: 'the fake upstream was not told what to answer' } },
  { status: 404 },
);

/** Starts a scriptable HTTP server on loopback that plays a model provider, well behaved or not. */
export async function startFakeUpstream(options: FakeUpstreamOptions = {}): Promise<FakeUpstream> {
  const fake = new Fake(options);
  await fake.listen(options.port ?? 0);
  return fake;
}

class Fake implements FakeUpstream {
  readonly requests: RequestRecorder[] = [];
  readonly connections = { total: 0, open: 0 };
  readonly #options: FakeUpstreamOptions;
  readonly #server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0, maxHeaderSize: 1 << 20 });
  readonly #numbers = new WeakMap<Socket, number>();
  readonly #next: Reaction[] = [];
  readonly #rules: Rule[] = [];
  readonly #waiting = new Set<() => void>();
  /** Requests dropped from the record. */
  #dropped = 0;

  constructor(options: FakeUpstreamOptions) {
    this.#options = options;
    this.#server.on('connection', (socket) => this.#connected(socket));
    this.#server.on('request', (request, response) => void this.#serve(request, response));
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', resolve);
    });
  }
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  respond(when: 'next' | Matcher, reaction: Reaction, options: { readonly times?: number } = {}): void {
    if (when === 'next') this.#next.push(reaction);
    else this.#rules.unshift(compileRule(when, reaction, options.times ?? Infinity));
  }

  async waitForRequest(count: number, timeoutMs = 5000): Promise<RecordedRequest> {
    const deadline = performance.now() + timeoutMs;
    while (this.#dropped + this.requests.length < count) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0)
        throw new Error(`request ${count} did not arrive within ${timeoutMs} ms, ${this.requests.length} did`);
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          this.#waiting.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, leftMs);
        this.#waiting.add(wake);
      });
    }
    const request = this.requests[count - 1 - this.#dropped];
    if (request === undefined) throw new Error(`request ${count} is no longer in the record`);
    await request.received;
    return request;
  }

  reset(): void {
    this.#next.length = 0;
    this.#rules.length = 0;
    this.requests.length = 0;
    this.#dropped = 0;
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  #connected(socket: Socket): void {
    this.#numbers.set(socket, this.connections.total);
    this.connections.total += 1;
    this.connections.open += 1;
    socket.on('error', () => undefined); // resets by the client are what some tests are about
    socket.once('close', () => (this.connections.open -= 1));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { maxBodyBytes = 64 << 20 } = this.#options;
    const record = new RequestRecorder(request, response, this.#numbers.get(request.socket) ?? -1, maxBodyBytes);
    response.on('error', () => undefined); // the client left; `closedByClient` says so
    const breaking = (): void => void (record.endedByUs = true);
    const { control } = this.#options;
    if (control !== undefined && record.target.startsWith(control.prefix)) {
      await record.received;
      await perform(control.handle(record), request, response, breaking);
      return;
    }
    this.#keep(record);
    if (!this.#wantsEarlyAnswer(record)) await record.received;
    await perform(this.#take(record), request, response, breaking);
  }

  #keep(record: RequestRecorder): void {
    this.requests.push(record);
    if (this.requests.length > (this.#options.maxRecorded ?? 1000)) {
      this.requests.shift();
      this.#dropped += 1;
    }
    for (const wake of this.#waiting) wake();
  }

  /** Whether the answer is to start before the body is here. Only rules that do not look into the body can say so. */
  #wantsEarlyAnswer(record: RecordedRequest): boolean {
    const reaction =
      this.#next[0] ?? this.#rules.find((rule) => rule.left > 0 && !rule.needsBody && rule.matches(record))?.reaction;
    return typeof reaction === 'object' && reaction.kind === 'answer' && reaction.early === true;
  }

  #take(record: RecordedRequest): Behaviour {
    let reaction = this.#next.shift();
    if (reaction === undefined) {
      const rule = this.#rules.find((one) => one.left > 0 && one.matches(record));
      if (rule !== undefined) rule.left -= 1;
      reaction = rule?.reaction ?? this.#options.fallback ?? UNSCRIPTED;
    }
    return typeof reaction === 'function' ? reaction(record) : reaction;
  }
}

function compileRule(when: Matcher, reaction: Reaction, times: number): Rule {
  if (typeof when === 'function') return { matches: when, needsBody: true, reaction, left: times };
  const { method, path, model } = when;
  const matches = (request: RecordedRequest): boolean => {
    if (method !== undefined && request.method !== method) return false;
    const name = request.target.split('?', 1)[0] ?? '';
    if (typeof path === 'string' ? name !== path : path !== undefined && !path.test(name)) return false;
    return model === undefined || modelOf(request) === model;
  };
  return { matches, needsBody: model !== undefined, reaction, left: times };
}

function modelOf(request: RecordedRequest): unknown {
  try {
    return (request.json() as { model?: unknown } | null)?.model;
  } catch {
    return undefined;
  }
}
