// One request through a chain, in memory: the stages from `resolve` on are the product's, the upstreams, the budgets and the
// caller's socket are played by the test.
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Writable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Admission, AdmitRequest, LimitScope, LimitTicket } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';
import { systemClock } from '#libs/platform/clock.js';
import { parseChain, type PriceOverride } from '#libs/platform/config.js';
import { bundledPriceTable, type UpperBound } from '#libs/pricing/index.js';
import { RegistryState } from '#libs/registry/index.js';
import { ChainIndex, ModelIndex, Router, type PlanTarget } from '#libs/routing/index.js';
import { attempt } from '../../apps/gateway/src/proxy/attempt.js';
import type { ActiveCall } from '../../apps/gateway/src/proxy/active-calls.js';
import { DrainRoom } from '../../apps/gateway/src/proxy/client-gone.js';
import type { DataPlane } from '../../apps/gateway/src/proxy/data-plane.js';
import { endpointOf } from '../../apps/gateway/src/proxy/endpoints.js';
import { Exchange } from '../../apps/gateway/src/proxy/exchange.js';
import { read } from '../../apps/gateway/src/proxy/read.js';
import type { AnswerHandler } from '../../apps/gateway/src/proxy/send.js';
import { resolve } from '../../apps/gateway/src/proxy/resolve.js';
import { anyKey, snapshotWith } from './any-call.js';
import { fakeProvider } from './routing.js';

/** One nano-dollar a token, for the model `x` of every provider. */
const PRICE: PriceOverride = {
  provider: '*',
  model: 'x',
  inputUsd: 0.001,
  outputUsd: 0.001,
  cachedInputUsd: null,
  cacheWrite5mUsd: null,
  cacheWrite1hUsd: null,
  fromMs: 0,
};

const providers = [
  fakeProvider('a'),
  fakeProvider('b'),
  fakeProvider('c'),
  fakeProvider('claude', 'anthropic'),
  fakeProvider('google', 'google'),
  fakeProvider('google2', 'google'),
];
const models = new ModelIndex([], providers, () => []);

/** A row as the budgets were told it. `event` without what is of no interest here. */
export interface BookedRow {
  /** Of an attempt beside that of its request. */
  readonly isApart: boolean;
  readonly costNanos: number | null;
  /** What it stands at when nobody knows. */
  readonly mostNanos: number;
  readonly error: string | null;
  readonly provider: string;
  readonly dialect: string;
  readonly usageSource: string;
  readonly status: number;
  /** Of a row apart: the number of its attempt. */
  readonly attempts: number;
}

/** An upstream call under way, for the test to answer. */
export class SentCall {
  aborted: Error | null = null;
  hasBegun = false;
  /** `null`: it has not answered. */
  status: number | null = null;
  /** Its answer has come to an end, or the gateway has let go of it. */
  isOver = false;
  readonly #handler: Required<Dispatcher.DispatchHandler>;
  readonly #controller: Dispatcher.DispatchController;

  constructor(
    readonly provider: string,
    handler: Dispatcher.DispatchHandler,
  ) {
    this.#handler = handler as Required<Dispatcher.DispatchHandler>;
    this.#controller = {
      abort: (error: Error) => {
        if (this.isOver) return;
        this.aborted = error;
        this.isOver = true;
        this.#handler.onResponseError(this.#controller, error);
      },
      pause: () => {},
      resume: () => {},
    } as unknown as Dispatcher.DispatchController;
    this.#handler.onRequestStart(this.#controller, {});
  }

  head(status: number, headers: Readonly<Record<string, string | string[]>>): this {
    this.hasBegun = true;
    this.status = status;
    this.#handler.onResponseStart(this.#controller, status, headers, '');
    return this;
  }

  text(text: string): this {
    if (!this.isOver) this.#handler.onResponseData(this.#controller, Buffer.from(text));
    return this;
  }

  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#handler.onResponseEnd(this.#controller, {});
  }

  /** A whole JSON answer. */
  json(status: number, value: unknown, headers: Readonly<Record<string, string | string[]>> = {}): void {
    this.head(status, { 'content-type': 'application/json', ...headers }).text(JSON.stringify(value));
    this.end();
  }

  /** A stream and its first frames. */
  stream(...frames: readonly string[]): this {
    this.head(200, { 'content-type': 'text/event-stream' });
    for (const frame of frames) this.text(frame);
    return this;
  }

  /** The connection is lost. */
  cut(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#handler.onResponseError(
      this.#controller,
      Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' }),
    );
  }
}

export interface RoutedOptions {
  /** The chain `chain`, as written in a configuration. */
  readonly chain?: unknown;
  /** What is asked for; default `chain`. */
  readonly model?: string;
  readonly route?: string;
  readonly url?: string;
  readonly body?: Readonly<Record<string, unknown>>;
  /** Most that a call may cost at each target under a hard budget, nano-dollars. */
  readonly bounds?: Readonly<Record<string, number>>;
  /** Answers the question for the money of a failed attempt; default: granted. */
  readonly bill?: (nanos: number) => boolean | Promise<boolean>;
  /** Targets that have a limit of their own. */
  readonly limited?: readonly string[];
  readonly admitLimit?: () => LimitTicket | Promise<LimitTicket>;
  /** Providers to which no call can be made. */
  readonly unfit?: readonly string[];
  /** Providers whose calls cannot be signed once their token is there. */
  readonly unsigned?: readonly string[];
}

/** A request under way. */
export class Routed {
  readonly sent: SentCall[] = [];
  readonly rows: BookedRow[] = [];
  readonly errors: unknown[] = [];
  /** Room that targets' limits gave. */
  readonly tickets: FakeTicket[] = [];
  /** Calls that are not over. */
  readonly underWay: ActiveCall[] = [];
  readonly active = {
    add: (call: ActiveCall): void => void this.underWay.push(call),
    delete: (call: ActiveCall): void => void this.underWay.splice(this.underWay.indexOf(call), 1),
    size: 0,
  };
  readonly exchange: Exchange;
  readonly targets: readonly PlanTarget[];
  /** Answers a question for more money; default no. */
  extend: (moreNanos: number) => Promise<boolean> = async () => false;
  /** Upstream calls that stand in the metrics. */
  counted = 0;
  #text = '';
  #granted = 0;

  constructor(private readonly options: RoutedOptions) {
    const { chain, limited = [], route = '/v1/chat/completions' } = options;
    const router = new Router(systemClock);
    const base = snapshotWith(anyKey, []);
    const scope = [{ limits: { rpm: 1, tpm: null } }] as unknown as readonly LimitScope[];
    const snapshot = {
      ...base,
      models,
      chains: new ChainIndex(
        { registry: RegistryState.empty, fileChains: chain === undefined ? [] : [chainOf(chain)], fileModels: [] },
        { models, health: router.health, costOf: () => null },
      ),
      modelLimits: new Map(limited.map((id) => [id, scope])),
      priceOverrides: { of: () => providers.map(({ name }) => ({ ...PRICE, provider: name })) },
    };
    const request = new IncomingMessage(new Socket());
    Object.assign(request, { url: options.url ?? route, method: 'POST', headers: {}, rawHeaders: [] });
    const response = new ServerResponse(request);
    response.assignSocket(this.#socket() as unknown as Socket);
    const asked = { model: options.model ?? 'chain', messages: [{ role: 'user', content: 'hi' }], ...options.body };
    const body = Buffer.from(JSON.stringify(asked));
    this.exchange = new Exchange(endpointOf('POST', route)!, request, response, body, snapshot);
    this.exchange.key = anyKey;
    const reading = read(this.exchange);
    resolve(this.exchange, anyKey);
    this.targets = this.exchange.candidates;
    this.#admit();
    void attempt(this.exchange, reading, anyKey, this.#plane(router));
  }

  /** What the caller has got, headers and body as sent. */
  get text(): string {
    return this.#text;
  }

  get response(): ServerResponse {
    return this.exchange.response;
  }

  /** The upstream call that was made last. */
  get call(): SentCall {
    return this.sent.at(-1) as SentCall;
  }

  /** The row of the request. */
  get row(): BookedRow | undefined {
    return this.rows.find(({ isApart }) => !isApart);
  }

  /** The rows of failed attempts. */
  get apart(): readonly BookedRow[] {
    return this.rows.filter(({ isApart }) => isApart);
  }

  /** The most a row of a target may stand at when nobody knows, without what was reported. */
  mostNanosAt(provider: string): number {
    return (this.options.bounds?.[`${provider}/x`] ?? 0) + this.#granted;
  }

  /** The caller closes its connection. */
  leave(): void {
    this.response.destroy();
    this.response.emit('close');
  }

  #socket(): Writable {
    return new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.#text += chunk.toString();
        done();
      },
    });
  }

  #admit(): void {
    const { bounds } = this.options;
    const hasHard = bounds !== undefined;
    const most = Math.max(0, ...Object.values(bounds ?? {}));
    const draft = JSON.stringify({ provider: this.targets[0]?.target.provider.name });
    if (bounds !== undefined) {
      this.exchange.bounds = new Map(this.targets.map((one) => [one, boundOf(bounds[one.id] ?? 0)]));
    }
    this.exchange.admission = admissionOf({ id: this.exchange.id, set: { hasHard }, draft } as AdmitRequest, most);
  }

  #plane(router: Router): DataPlane {
    return {
      budgets: {
        admit: async (request: AdmitRequest) =>
          (await (this.options.bill ?? (() => true))(request.wantNanos))
            ? admissionOf(request, request.wantNanos)
            : { ok: false, reason: 'budget', budget: null },
        settle: (
          admission: Admission,
          costNanos: number | null,
          event: string,
          seen = 0,
          most = admission.boundNanos,
        ) => this.#book(admission, costNanos, event, Math.max(Math.min(most, admission.boundNanos), seen)),
        cancel: () => {},
        extend: async (admission: Admission, more: number) => {
          const isGranted = await this.extend(more);
          const grantedNanos = isGranted ? more : 0;
          admission.boundNanos += grantedNanos;
          this.#granted += grantedNanos;
          return isGranted;
        },
        tightest: () => null,
      },
      limiter: { admit: () => this.#admitLimit() },
      metrics: { called: () => void this.counted++, billed() {}, clientGone() {}, refused() {} },
      unpriced: { note() {} },
      responses: { remember() {}, find: () => null },
      active: this.active,
      drains: new DrainRoom(0),
      log: { error: ({ err }: { err: unknown }) => void this.errors.push(err), warn() {} },
      prices: bundledPriceTable(),
      pools: {
        of: ({ name }: { name: string }) => {
          if (this.options.unfit?.includes(name) === true) throw new Error('no pool');
          return {
            dispatch: (_options: unknown, handler: AnswerHandler) => {
              if (this.options.unsigned?.includes(name) !== true) return this.sent.push(new SentCall(name, handler));
              return queueMicrotask(() => handler.onResponseError(null, new AppError('internal')));
            },
          };
        },
      },
      bodies: null,
      router,
    } as unknown as DataPlane;
  }

  async #admitLimit(): Promise<LimitTicket> {
    const ticket = await (this.options.admitLimit?.() ?? ticketOf());
    this.tickets.push(ticket as FakeTicket);
    return ticket;
  }

  #book(admission: Admission, costNanos: number | null, event: string, mostNanos: number): void {
    const { error, provider, dialect, usageSource, status, attempts } = JSON.parse(event) as BookedRow;
    const isApart = admission.id !== this.exchange.id;
    this.rows.push({ isApart, costNanos, mostNanos, error, provider, dialect, usageSource, status, attempts });
  }
}

const TOKENS = 10;
const PICOS_PER_NANO = 1000;

/** Of an answer of ten tokens, which are all that it costs. */
function boundOf(wantNanos: number): UpperBound {
  const picosPerToken = (wantNanos * PICOS_PER_NANO) / TOKENS;
  const tokens = { maxTokens: TOKENS, leastTokens: 1, injectedMaxTokens: null };
  return { ...tokens, minNanos: 1, wantNanos, fixedPicos: 0, picosPerToken, refuse: null };
}

function admissionOf({ id, set, draft }: AdmitRequest, boundNanos: number): Admission {
  const isClampedFrom = (): boolean => false;
  return { ok: true, id, set, draft, boundNanos, accounts: [], written: true, isClampedFrom } as unknown as Admission;
}

/** What a ticket counts beforehand. */
export const ESTIMATED_TOKENS = 100;

/** A ticket of a limit, and what became of it. */
export type FakeTicket = LimitTicket & { readonly ends: readonly string[]; readonly used: readonly (number | null)[] };

export function ticketOf(): FakeTicket {
  const ends: string[] = [];
  const used: (number | null)[] = [];
  const ticket = {
    ends,
    used,
    tokens: ESTIMATED_TOKENS,
    settle: (tokens: number | null) => {
      ends.push('settled');
      used.push(tokens);
    },
    cancel: () => ends.push('cancelled'),
    state: () => ({ requests: null, tokens: null }),
  };
  return ticket as unknown as FakeTicket;
}

function chainOf(written: unknown) {
  const known = { isModel: (name: string) => name.includes('/'), whyNoModel: () => '', chainNamed: () => undefined };
  const parsed = parseChain('chain', written, known);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  return parsed.chain;
}
