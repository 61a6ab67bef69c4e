// The price of each stage by itself: the same call over and over, in one warm process, without any network. Such loops flatter
// (everything is in the caches), so read them as shares of one another rather than as parts of a call's time.
import { createSecretKey, randomBytes } from 'node:crypto';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { compileKeys, type Admission } from '#libs/keys-budgets/index.js';
import { NO_LIMITS } from '#libs/platform/config.js';
import { Secret } from '#libs/platform/secret.js';
import { RegistryState } from '#libs/registry/index.js';
import type { Attempt, RoutePlan, Target } from '#libs/routing/index.js';
import { translatorFor, withoutUsageChunk, type Translator } from '#libs/dialects/index.js';
import { authenticate } from '../../apps/gateway/src/proxy/authenticate.js';
import { authorize } from '../../apps/gateway/src/proxy/authorize.js';
import { resolve } from '../../apps/gateway/src/proxy/resolve.js';
import type { CallBudgets } from '../../apps/gateway/src/proxy/call-budgets.js';
import { draftOf } from '../../apps/gateway/src/proxy/call-event.js';
import { endpointOf, type Endpoint } from '../../apps/gateway/src/proxy/endpoints.js';
import { estimate } from '../../apps/gateway/src/proxy/estimate.js';
import { Exchange } from '../../apps/gateway/src/proxy/exchange.js';
import { prepareBody } from '../../apps/gateway/src/proxy/prepare.js';
import { read } from '../../apps/gateway/src/proxy/read.js';
import { upstreamHeaders } from '../../apps/gateway/src/proxy/request-headers.js';
import { answerHeaders } from '../../apps/gateway/src/proxy/response-headers.js';
import { priceOf, settle } from '../../apps/gateway/src/proxy/settle.js';
import { SseBlocks } from '../../apps/gateway/src/proxy/sse-blocks.js';
import { EndsOfStream } from '../../apps/gateway/src/proxy/stream-ends.js';
import { UpstreamAttempt } from '../../apps/gateway/src/proxy/upstream-attempt.js';
import { wayTo, type Way } from '../../apps/gateway/src/proxy/way.js';
import { nobodyPays, openPlane } from './open-plane.js';
import { BENCH_MODEL, chatBody, jsonAnswer, requestBytes, streamAnswer } from './payloads.js';
import type { StagePrice } from './stages.js';

const WARM_MS = 400;
const ROUNDS = 9;
const ROUND_MS = 60;

/** Median over rounds of the CPU time of one call, in µs. */
function microsOf(work: () => unknown): number {
  const spin = (ms: number): number => {
    const before = process.cpuUsage();
    const until = performance.now() + ms;
    let calls = 0;
    for (; performance.now() < until; calls += 20) for (let i = 0; i < 20; i++) work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / calls;
  };
  spin(WARM_MS);
  return Array.from({ length: ROUNDS }, () => spin(ROUND_MS)).sort((a, b) => a - b)[ROUNDS >> 1] as number;
}

const KEY = `bench-${'0'.repeat(40)}`;
const benchKey = {
  name: 'bench',
  secret: null,
  team: null,
  user: null,
  app: null,
  models: ['bench-*'],
  routes: ['/v1/*'],
  tags: [],
  budgets: [],
  limits: NO_LIMITS,
  expiresAtMs: null,
  metadata: {},
};
const keys = compileKeys(
  RegistryState.empty,
  [{ key: benchKey, secret: new Secret(KEY) }],
  createSecretKey(randomBytes(32)),
);
// Spool and counters are left out: their share is in the governed rows.
let line = '';
const budgets: CallBudgets = { ...nobodyPays, settle: (_admission, _cost, event) => void (line = event) };
const open = openPlane('http://127.0.0.1:9');
const benchPrice = {
  provider: 'bench',
  model: BENCH_MODEL,
  inputUsd: 1.25,
  outputUsd: 10,
  cachedInputUsd: 0.125,
  cacheWrite5mUsd: null,
  cacheWrite1hUsd: null,
  fromMs: 0,
};
const overrides = [benchPrice];
const plane = { ...open, budgets, snapshot: { ...open.snapshot, keys, priceOverrides: { of: () => overrides } } };

/** Name, value pairs of the lines of a message's head, as Node's parser gives them. */
function rawHeadersOf(message: Buffer): string[] {
  const head = message.toString('latin1', 0, message.indexOf('\r\n\r\n'));
  return head
    .split('\r\n')
    .slice(1)
    .flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]);
}

function headersOf(raw: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i] as string, raw[2 * i + 1] as string]),
  );
}

function exchangeOf(bytes: number, stream: boolean): Exchange {
  const body = chatBody(bytes, stream);
  const rawHeaders = rawHeadersOf(requestBytes(8080, KEY, 'json', body));
  const request = new IncomingMessage(new Socket());
  Object.assign(request, { url: '/v1/chat/completions', method: 'POST', headers: headersOf(rawHeaders), rawHeaders });
  const exchange = new Exchange(endpoint, request, new ServerResponse(request), body, plane.snapshot);
  authenticate(exchange);
  read(exchange);
  const target = plane.snapshot.models.resolve(exchange.modelRequested) as Target;
  const way = wayTo(exchange, target) as Way;
  exchange.attempt = new UpstreamAttempt({ target: { target } } as Attempt, way, null, []);
  exchange.attempt.upstreamStatus = 200;
  return exchange;
}

const endpoint = endpointOf('POST', '/v1/chat/completions') as Endpoint;
const small = exchangeOf(1_000, false);
const streamed = exchangeOf(1_000, true);
const middle = exchangeOf(20_000, false);
const large = exchangeOf(200_000, false);
const key = authenticate(small);
const target = resolve(small, key);
const sent = { target, maxTokens: null, hidesUsageChunk: false };
const reading = read(small);
const streamedReading = read(streamed);
const middleReading = read(middle);
small.admission = nobodyPays.admit({
  id: small.id,
  set: plane.budgetSets.of(key),
  minNanos: 0,
  wantNanos: 0,
  draft: draftOf(small, key, target),
}) as Admission;
const answer = jsonAnswer();
const answerHead = headersOf(rawHeadersOf(answer));
const answerBody = answer.subarray(answer.indexOf('\r\n\r\n') + 4);
const { dialect } = endpoint;
const used = dialect.usageOfBody('chat', answerBody);
const price = priceOf(small, plane, used);
// One event without the chunked coding around it.
const piece = streamAnswer().pieces[1] as Buffer;
const event = piece.subarray(piece.indexOf('\n') + 1, -2);
const blocks = new SseBlocks();
const ends = new EndsOfStream(false);
const translatedStream = (
  translatorFor({ dialect: 'anthropic', operation: 'messages' }, { dialect: 'openai', operation: 'chat' }) as Translator
)
  .request(Buffer.from('{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}'), {
    model: 'm',
    requestId: 'r',
    createdAtSeconds: 0,
  })
  .stream();
const plan = small.plan as RoutePlan;
const context = { startedMs: 0, affinityKey: null, pinned: null, isStream: false, canServe: null };

const STAGES: readonly (readonly [string, () => unknown])[] = [
  ['exchange (id, clock)', () => new Exchange(endpoint, small.request, small.response, small.received, plane.snapshot)],
  ['1 authenticate', () => authenticate(small)],
  ['2 read, 1 KB', () => read(small)],
  ['2 read, 20 KB', () => read(middle)],
  ['2 read, 200 KB', () => read(large)],
  ['3 authorize', () => authorize(small, key)],
  ['4 resolve', () => resolve(small, key)],
  ['7 draft of the row', () => draftOf(small, key, target)],
  ['7 upper bound, 1 KB', () => estimate(small, reading, key, target, plane)],
  ['7 upper bound, 20 KB', () => estimate(middle, middleReading, key, target, plane)],
  ['8 prepare body', () => prepareBody(small, reading, sent)],
  ['8 prepare body, stream option added', () => prepareBody(streamed, streamedReading, sent)],
  ['8 headers to the upstream', () => upstreamHeaders(small, target)],
  ['8 headers to the caller', () => answerHeaders(small, plane, answerHead)],
  ['8 usage of an answer', () => dialect.usageOfBody('chat', answerBody)],
  [
    '8 one event of a stream',
    () => {
      const block = blocks.push(event) as Buffer;
      ends.push(block);
      return withoutUsageChunk(block);
    },
  ],
  [
    '8 one event of a stream, translated',
    () => {
      const block = blocks.push(event) as Buffer;
      ends.push(block);
      return translatedStream.push(block);
    },
  ],
  [
    '8 plan and first target',
    () => {
      const run = plane.router.route(plan, context);
      run.next(performance.now());
      return run.succeeded(performance.now());
    },
  ],
  ['10 price', () => priceOf(small, plane, used)],
  [
    '10 settle (event, metrics)',
    () => {
      small.settled = false;
      settle(small, plane, { usage: used, price, complete: true, error: null, sent: true, captured: null });
    },
  ],
];

const prices: StagePrice[] = [];
for (const [stage, work] of STAGES) prices.push({ stage, micros: microsOf(work) });
if (line === '') throw new Error('settle made no event');
process.send?.(prices, () => process.exit(0));
