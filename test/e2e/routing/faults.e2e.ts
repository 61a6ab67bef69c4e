import { createServer, type AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { cutAt, hang, html, reset, sse, type Behaviour } from '#test/fakes/upstream/behaviour.js';
import {
  chunk,
  FIRST_USD,
  OPENING,
  refuses,
  rowsOf,
  says,
  SECOND_USD,
  startRouted,
  streams,
  type RoutedProduct,
} from './routed-product.js';

/**
 * What a caller sees and pays when the first of two targets fails (RTE-2, RTE-3): the built product, the official SDK, its own
 * retries off. The second target is well.
 */
interface Scenario {
  readonly name: string;
  /** What the first target does, call by call; the last for all that follow. */
  readonly first: readonly Behaviour[];
  readonly stream?: boolean;
  /** What the client saw: the text of the answer, or the error's status and code. */
  readonly saw: string | readonly [status: number | undefined, code: string | null];
  readonly attempts: number;
  /** Served by, and what was charged in all. */
  readonly provider: 'first' | 'second';
  readonly charged: string;
}

const FROM_FIRST = 'from the first';
const FROM_SECOND = 'from the second';
const SERVED_BY_SECOND = { saw: FROM_SECOND, provider: 'second', charged: SECOND_USD } as const;
const rateLimited = { message: 'Rate limit reached', type: 'requests', code: 'rate_limit_exceeded' };
const broken = { message: 'The server had an error', type: 'server_error', code: null };
const half = [OPENING, chunk({ content: 'half' })];
const inUtf8 = cutAt(chunk({ content: 'aé' }), Buffer.from(chunk({ content: 'aé' })).indexOf(0xa9)).slice(0, 1);

const SCENARIOS: readonly Scenario[] = [
  {
    name: '429-with-retry-after',
    first: [refuses(429, rateLimited, { 'retry-after': '30' }), says(FROM_FIRST)],
    ...SERVED_BY_SECOND,
    attempts: 2,
  },
  {
    name: '429-with-short-retry-after',
    first: [refuses(429, rateLimited, { 'retry-after-ms': '150' }), says(FROM_FIRST)],
    saw: FROM_FIRST,
    attempts: 2,
    provider: 'first',
    charged: FIRST_USD,
  },
  {
    name: '429-without-retry-after',
    first: [refuses(429, rateLimited), says(FROM_FIRST)],
    saw: FROM_FIRST,
    attempts: 2,
    provider: 'first',
    charged: FIRST_USD,
  },
  { name: '500', first: [refuses(500, broken)], ...SERVED_BY_SECOND, attempts: 3 },
  {
    name: '500-once',
    first: [refuses(500, broken), says(FROM_FIRST)],
    saw: FROM_FIRST,
    attempts: 2,
    provider: 'first',
    charged: FIRST_USD,
  },
  { name: '529', first: [refuses(529, { message: 'Overloaded' })], ...SERVED_BY_SECOND, attempts: 3 },
  {
    name: '401',
    first: [refuses(401, { message: 'Incorrect API key provided', code: 'invalid_api_key' })],
    ...SERVED_BY_SECOND,
    attempts: 2,
  },
  {
    name: '404-deployment',
    first: [
      refuses(404, { message: 'The API deployment for this resource does not exist.', code: 'DeploymentNotFound' }),
    ],
    ...SERVED_BY_SECOND,
    attempts: 2,
  },
  {
    name: '400',
    first: [
      refuses(400, { message: 'Invalid value for "temperature"', type: 'invalid_request_error', code: 'bad_value' }),
    ],
    saw: [400, 'bad_value'],
    attempts: 1,
    provider: 'first',
    charged: '0',
  },
  {
    name: 'context-length',
    first: [
      refuses(400, { message: "This model's maximum context length is 8192 tokens", code: 'context_length_exceeded' }),
    ],
    saw: [400, 'context_length_exceeded'],
    attempts: 1,
    provider: 'first',
    charged: '0',
  },
  {
    name: 'refusal',
    first: [refuses(400, { message: 'The response was filtered', code: 'content_filter' })],
    saw: [400, 'content_filter'],
    attempts: 1,
    provider: 'first',
    charged: '0',
  },
  { name: 'slow-first-byte', first: [hang], ...SERVED_BY_SECOND, attempts: 3 },
  {
    name: 'slow-first-content',
    stream: true,
    first: [sse([OPENING], { end: 'hang' })],
    ...SERVED_BY_SECOND,
    attempts: 3,
  },
  {
    name: 'stall-mid-stream',
    stream: true,
    first: [sse(half, { end: 'hang' })],
    saw: [undefined, 'upstream_stalled'],
    attempts: 1,
    provider: 'first',
    charged: '0',
  },
  {
    name: 'cut-mid-stream',
    stream: true,
    first: [sse(half, { end: 'cut' })],
    saw: [undefined, 'upstream_cut'],
    attempts: 1,
    provider: 'first',
    charged: '0',
  },
  {
    name: 'cut-before-content',
    stream: true,
    first: [sse([OPENING], { end: 'cut' }), streams(FROM_FIRST)],
    saw: FROM_FIRST,
    attempts: 2,
    provider: 'first',
    charged: FIRST_USD,
  },
  {
    name: 'cut-mid-utf8',
    stream: true,
    first: [sse([OPENING, ...inUtf8], { end: 'cut' }), streams('é all right')],
    saw: 'é all right',
    attempts: 2,
    provider: 'first',
    charged: FIRST_USD,
  },
  { name: 'reset', first: [reset], ...SERVED_BY_SECOND, attempts: 3 },
  { name: 'html', first: [html(200)], ...SERVED_BY_SECOND, attempts: 2 },
  {
    name: '200-with-error-body',
    first: [refuses(200, { message: 'internal', type: 'odd' })],
    ...SERVED_BY_SECOND,
    attempts: 2,
  },
  {
    name: 'error-event-before-content',
    stream: true,
    first: [sse([OPENING, 'data: {"error":{"message":"overloaded","type":"overloaded_error"}}\n\n'])],
    ...SERVED_BY_SECOND,
    attempts: 3,
  },
];

const CHAINS = {
  dns: { steps: [{ targets: [{ model: 'nowhere/x' }] }, { targets: [{ model: 'second/well' }] }] },
  tls: { steps: [{ targets: [{ model: 'untrusted/x' }] }, { targets: [{ model: 'second/well' }] }] },
  refused: {
    steps: [{ targets: [{ model: 'gone/x' }] }, { targets: [{ model: 'second/well' }] }],
    retry: { base_ms: 10 },
  },
  'all-down': {
    steps: [{ targets: [{ model: 'gone/y' }] }, { targets: [{ model: 'nowhere/y' }] }],
    retry: { base_ms: 10 },
  },
  larger: {
    steps: [{ targets: [{ model: 'first/small' }] }, { on: ['context_length'], targets: [{ model: 'second/well' }] }],
  },
  usage: { steps: [{ targets: [{ model: 'claude/claude-sonnet-5' }] }, { targets: [{ model: 'second/well' }] }] },
};

let running: RoutedProduct;
/** Answers a TLS greeting in plain text. */
const noTls = createServer((socket) => {
  socket.on('error', () => {});
  socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
});
beforeAll(async () => {
  const names = SCENARIOS.map(({ name }) => name);
  await new Promise<void>((resolve) => noTls.listen(0, '127.0.0.1', resolve));
  const { port } = noTls.address() as AddressInfo;
  const untrusted = { type: 'openai-compatible', base_url: `https://127.0.0.1:${port}/v1`, api_key: 'sk-upstream' };
  running = await startRouted(names, () => ({ fallback_chains: CHAINS, providers: { untrusted } }));
}, 180_000);
afterAll(async () => {
  noTls.close();
  await running?.stop();
}, 60_000);

const messages = [{ role: 'user' as const, content: 'hi' }];

function client(): OpenAI {
  const { url, key } = running.product;
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
}

interface Seen {
  readonly saw: Scenario['saw'];
  readonly headers: Headers;
  readonly message: string;
}

async function call(model: string, stream: boolean): Promise<Seen> {
  let headers = new Headers();
  try {
    if (stream) {
      const { data, response } = await client().chat.completions.create({ model, messages, stream }).withResponse();
      headers = response.headers;
      let text = '';
      for await (const part of data) text += part.choices[0]?.delta.content ?? '';
      return { saw: text, headers, message: '' };
    }
    const { data, response } = await client().chat.completions.create({ model, messages }).withResponse();
    return { saw: data.choices[0]?.message.content ?? '', headers: response.headers, message: '' };
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    const known: Headers | undefined = error.headers;
    return { saw: [error.status, error.code ?? null], headers: known ?? headers, message: error.message };
  }
}

const sum = (rows: readonly { readonly costUsd: string }[]): number =>
  Math.round(rows.reduce((usd, row) => usd + Number(row.costUsd), 0) * 1e9);

describe('RTE-2, RTE-3: the first of two targets fails', () => {
  it.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
    '%s: what the client saw and what was charged',
    async (name, { first, stream = false, saw, attempts, provider, charged }) => {
      const { upstream, product } = running;
      let calls = 0;
      upstream.respond({ model: name }, () => first[Math.min(calls++, first.length - 1)] as Behaviour);
      upstream.respond({ path: '/second/v1/chat/completions' }, stream ? streams(FROM_SECOND) : says(FROM_SECOND));
      const seen = await call(name, stream);
      expect(seen.saw).toEqual(saw);
      if (seen.headers.has('x-smartflow-attempts')) {
        expect({
          attempts: seen.headers.get('x-smartflow-attempts'),
          chain: seen.headers.get('x-smartflow-chain'),
          provider: seen.headers.get('x-smartflow-provider'),
        }).toEqual({ attempts: String(attempts), chain: name, provider });
      }
      const { row, rows } = await rowsOf(product, name, seen.headers);
      expect(row).toMatchObject({ attempts, provider, chain: name, requestId: null });
      for (const other of rows) if (other !== row) expect(other.requestId).toBe(row.id);
      expect(sum(rows)).toBe(Math.round(Number(charged) * 1e9));
    },
    20_000,
  );

  it.each([
    ['dns', 2],
    ['tls', 2],
    ['refused', 3],
  ])('%s: the second target serves, and alone is charged', async (name, attempts) => {
    running.upstream.respond({ path: '/second/v1/chat/completions' }, says(FROM_SECOND));
    const seen = await call(name, false);
    expect([seen.saw, seen.headers.get('x-smartflow-attempts')]).toEqual([FROM_SECOND, String(attempts)]);
    const { row, rows } = await rowsOf(running.product, name, seen.headers);
    expect(row).toMatchObject({ attempts, provider: 'second', model: 'well' });
    expect(sum(rows)).toBe(Math.round(Number(SECOND_USD) * 1e9));
  });

  it('all down: 503 that lists each attempt, nothing is charged, no host is shown', async () => {
    const seen = await call('all-down', false);
    expect(seen.saw).toEqual([503, 'no_target_available']);
    expect(seen.message).toContain('gone/y failed (connect)');
    expect(seen.message).toContain('nowhere/y failed (dns)');
    expect(seen.message).not.toMatch(/127\.0\.0\.1|invalid/);
    const { row } = await rowsOf(running.product, 'all-down', seen.headers);
    expect(row).toMatchObject({ status: 503, error: 'no_target_available', attempts: 3, costUsd: '0' });
  });

  it('context length: a step for it takes the call', async () => {
    const tooLong = { message: 'too long', code: 'context_length_exceeded' };
    running.upstream.respond({ model: 'small' }, refuses(400, tooLong));
    running.upstream.respond({ path: '/second/v1/chat/completions' }, says(FROM_SECOND));
    const seen = await call('larger', false);
    expect([seen.saw, seen.headers.get('x-smartflow-attempts')]).toEqual([FROM_SECOND, '2']);
  });

  it('a failed attempt that reported usage is charged, in a row of its own', async () => {
    const start = {
      type: 'message_start',
      message: {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: 'claude-sonnet-5',
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: 1000, output_tokens: 1 },
      },
    };
    const gone = { type: 'error', error: { type: 'not_found_error', message: 'model: gone meanwhile' } };
    const frames = [start, gone].map((data) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`);
    running.upstream.respond({ path: '/claude/v1/messages' }, sse(frames));
    running.upstream.respond({ path: '/second/v1/chat/completions' }, streams(FROM_SECOND));
    const seen = await call('usage', true);
    expect([seen.saw, seen.headers.get('x-smartflow-attempts')]).toEqual([FROM_SECOND, '2']);
    const { row, rows } = await rowsOf(running.product, 'usage', seen.headers);
    expect(rows).toHaveLength(2);
    expect(rows.find(({ provider }) => provider === 'claude')).toMatchObject({
      inputTokens: 1000,
      error: 'upstream_failed',
    });
    expect(Number(rows.find(({ provider }) => provider === 'claude')?.costUsd)).toBeGreaterThan(0);
    expect(row).toMatchObject({ provider: 'second', costUsd: SECOND_USD, attempts: 2 });
  });
});
