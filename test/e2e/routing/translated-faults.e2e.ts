import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { googleSdk } from '#test/fakes/google-sdk.js';
import { json } from '#test/fakes/upstream/behaviour.js';
import { eventually } from '../harness.js';
import { FAILING, TOO_LONG_WORDS, type FaultName } from './fault-targets.js';
import { refuses, says, SECOND_USD, startRouted, streams, type RoutedProduct, type Row } from './routed-product.js';

/**
 * The faults of `faults.e2e.ts` where the failing target speaks another dialect than its caller (RTE-2, LLM-7, LLM-8): the
 * built product, the official SDKs. The second target of each chain is well and speaks OpenAI's chat.
 */
const PAIRS = [
  ['anthropic', 'chat'],
  ['google', 'chat'],
  ['openai', 'claude'],
  ['google', 'claude'],
  ['openai', 'gemini'],
  ['anthropic', 'gemini'],
] as const;
type Caller = (typeof PAIRS)[number][0];

/** What a client saw: a text and its finish, or what it got of it before an error. */
interface Seen {
  text: string;
  finish?: string | null;
  status?: number | null;
  error?: string;
}

interface Expected {
  readonly attempts: number;
  /** Served by the second target, which alone is charged; else: */
  readonly seen?: (caller: Caller, target: keyof typeof FAILING) => Partial<Seen>;
  readonly isStream?: boolean;
}

const matches = (text: string): string => expect.stringContaining(text) as string;
const TOO_LONG: Readonly<Record<Caller, string>> = {
  openai: 'context_length_exceeded',
  anthropic: TOO_LONG_WORDS,
  google: 'INVALID_ARGUMENT',
};
const REFUSED: Readonly<Record<Caller, string>> = { openai: 'content_filter', anthropic: 'refusal', google: 'SAFETY' };
const EXPECTED: Readonly<Record<FaultName, Expected>> = {
  '429': { attempts: 2 },
  '500': { attempts: 3 },
  overloaded: { attempts: 3 },
  '401': { attempts: 2 },
  'context-length': { attempts: 1, seen: (caller) => ({ status: 400, error: matches(TOO_LONG[caller]) }) },
  refusal: {
    attempts: 1,
    seen: (caller, target) =>
      target === 'chat' ? { status: 400, error: matches('The response was filtered') } : { finish: REFUSED[caller] },
  },
  'cut-mid-stream': {
    attempts: 1,
    isStream: true,
    seen: () => ({ text: 'half', error: matches('broke off') }),
  },
  'stall-mid-stream': {
    attempts: 1,
    isStream: true,
    seen: () => ({ text: 'half', error: matches('stopped sending') }),
  },
  'cut-before-content': { attempts: 3, isStream: true },
  'error-event-before-content': { attempts: 3, isStream: true },
};

const CASES = PAIRS.flatMap(([caller, target]) =>
  (Object.keys(EXPECTED) as FaultName[]).map((fault) => ({
    name: `${caller}-${target}-${fault}`,
    caller,
    target,
    fault,
  })),
);

const FROM_SECOND = 'from the second';
let running: RoutedProduct;
beforeAll(async () => {
  running = await startRouted([], ({ url }) => {
    const common = { api_key: 'sk-upstream-4f8a2b6c9d', timeouts: { idle_ms: 400 } };
    const modelOf = ({ name, target }: (typeof CASES)[number]): string => `${FAILING[target].provider}/${name}`;
    return {
      providers: {
        first: { type: 'openai-compatible', base_url: `${url}/first/v1`, ...common },
        claude: { type: 'anthropic', base_url: `${url}/claude`, ...common },
        google: { type: 'google', base_url: `${url}/google`, ...common },
      },
      prices: Object.fromEntries(CASES.map((one) => [modelOf(one), { input: 1, output: 2 }])),
      fallback_chains: {
        same: { steps: [{ targets: [{ model: 'first/same' }] }, { targets: [{ model: 'second/well' }] }] },
        ...Object.fromEntries(
          CASES.map((one) => [
            one.name,
            {
              steps: [{ targets: [{ model: modelOf(one) }] }, { targets: [{ model: 'second/well' }] }],
              retry: { base_ms: 10, max_backoff_ms: 50 },
            },
          ]),
        ),
      },
    };
  });
}, 180_000);
afterAll(() => running?.stop(), 60_000);

const openai = (): OpenAI =>
  new OpenAI({ baseURL: `${running.product.url}/v1`, apiKey: running.product.key, maxRetries: 0 });
const anthropic = (): Anthropic =>
  new Anthropic({ baseURL: `${running.product.url}/anthropic`, apiKey: running.product.key, maxRetries: 0 });
const messages = [{ role: 'user' as const, content: 'hi' }];

/** Each SDK reads an answer, or a stream piece by piece into `seen`. */
const CALL: Readonly<Record<Caller, (model: string, stream: boolean, seen: Seen) => Promise<void>>> = {
  async openai(model, stream, seen) {
    const { completions } = openai().chat;
    if (!stream) {
      const choice = (await completions.create({ model, messages })).choices[0];
      Object.assign(seen, { text: choice?.message.content ?? '', finish: choice?.finish_reason });
      return;
    }
    for await (const part of await completions.create({ model, messages, stream }))
      seen.text += part.choices[0]?.delta.content ?? '';
  },
  async anthropic(model, stream, seen) {
    const asked = { model, messages, max_tokens: 50 };
    if (!stream) {
      const { content, stop_reason } = await anthropic().messages.create(asked);
      Object.assign(seen, { text: content[0]?.type === 'text' ? content[0].text : '', finish: stop_reason });
      return;
    }
    for await (const event of await anthropic().messages.create({ ...asked, stream }))
      if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') seen.text += event.delta.text;
  },
  async google(model, stream, seen) {
    const { models } = googleSdk(`${running.product.url}/gemini`, running.product.key);
    const asked = { model, contents: 'hi' };
    if (!stream) {
      const answer = await models.generateContent(asked);
      Object.assign(seen, { text: answer.text ?? '', finish: answer.candidates?.[0]?.finishReason });
      return;
    }
    for await (const part of await models.generateContentStream(asked)) seen.text += part.text ?? '';
  },
};

async function call(caller: Caller, model: string, stream: boolean): Promise<Seen> {
  const seen: Seen = { text: '' };
  try {
    await CALL[caller](model, stream, seen);
  } catch (error) {
    const { status, code, message } = error as Error & { status?: number; code?: string };
    Object.assign(seen, { status: status ?? null, error: `${code ?? ''} ${message}` });
  }
  return seen;
}

/** All rows of a case, once that of the request is there. */
function rowsOf(name: string): Promise<{ readonly row: Row; readonly chargedNanos: number }> {
  const { url, adminToken } = running.product;
  return eventually(`the row of ${name}`, 8000, async () => {
    const answer = await fetch(`${url}/api/logs?limit=200`, { headers: { authorization: `Bearer ${adminToken}` } });
    const { items } = (await answer.json()) as { items: readonly Row[] };
    const rows = items.filter((one) => one.modelRequested === name);
    const row = rows.find(({ requestId }) => requestId === null);
    const chargedNanos = Math.round(rows.reduce((usd, { costUsd }) => usd + Number(costUsd), 0) * 1e9);
    return row === undefined ? null : { row, chargedNanos };
  });
}

const nanos = (usd: string): number => Math.round(Number(usd) * 1e9);

describe('RTE-2, LLM-7: the first of two targets fails in another dialect', () => {
  it.each(CASES.map((one) => [one.name, one] as const))(
    '%s: what the client saw and what was charged',
    async (name, { caller, target, fault }) => {
      const { upstream } = running;
      const { attempts, seen, isStream = false } = EXPECTED[fault];
      const { provider, faults, reportedUsd } = FAILING[target];
      upstream.reset();
      upstream.respond({ path: new RegExp(`^/${provider}/`) }, faults[fault]);
      upstream.respond({ path: '/second/v1/chat/completions' }, isStream ? streams(FROM_SECOND) : says(FROM_SECOND));
      const saw = await call(caller, name, isStream);
      expect(saw).toMatchObject(seen?.(caller, target) ?? { text: FROM_SECOND });
      if (seen === undefined) expect(saw.error).toBeUndefined();
      const { row, chargedNanos } = await rowsOf(name);
      expect(row).toMatchObject({ attempts, provider: seen === undefined ? 'second' : provider, chain: name });
      // What a failed attempt reported is charged (RTE-2): of a stream its beginning, of a refusal all.
      const isReported = isStream || (fault === 'refusal' && target !== 'chat');
      const failed = seen === undefined ? attempts - 1 : 1;
      const served = seen === undefined ? nanos(SECOND_USD) : 0;
      expect(chargedNanos).toBe(served + (isReported ? failed * nanos(reportedUsd) : 0));
    },
    20_000,
  );
});

describe('LLM-9: headers of an answer', () => {
  const OPENAI_HEADERS = { 'x-request-id': 'req_openai', 'x-ratelimit-remaining-requests': '0', 'openai-version': '1' };
  const CLAUDE_HEADERS = {
    'request-id': 'req_claude',
    'anthropic-ratelimit-requests-remaining': '5',
    'anthropic-organization-id': 'org',
    'x-of-its-host': 'y',
  };
  const namesOf = (headers: Headers): string[] => [...headers.keys()];

  it('a translated answer carries none of the provider’s dialect, and its request id under our name', async () => {
    running.upstream.reset();
    running.upstream.respond(
      'next',
      json(
        {
          ...{ id: 'msg_1', type: 'message', role: 'assistant', model: 'm', stop_reason: 'end_turn' },
          ...{ content: [{ type: 'text', text: 'hi' }], usage: { input_tokens: 1, output_tokens: 1 } },
        },
        { headers: CLAUDE_HEADERS },
      ),
    );
    const { response } = await openai()
      .chat.completions.create({ model: 'claude/claude-sonnet-5', messages })
      .withResponse();
    for (const name of Object.keys(CLAUDE_HEADERS)) expect(namesOf(response.headers)).not.toContain(name);
    expect(response.headers.get('x-smartflow-upstream-request-id')).toBe('req_claude');
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  });

  it('a translated error too; when to come again is kept', async () => {
    running.upstream.reset();
    const headers = { ...OPENAI_HEADERS, 'retry-after': '7' };
    running.upstream.respond('next', refuses(429, { message: 'Rate limit reached' }, headers));
    const error: unknown = await anthropic()
      .messages.create({ model: 'first/gpt-5-mini', max_tokens: 9, messages })
      .catch((caught: unknown) => caught);
    if (!(error instanceof Anthropic.RateLimitError)) throw new Error('no 429', { cause: error });
    expect(error.headers.get('retry-after')).toBe('7');
    expect(namesOf(error.headers)).not.toContain('x-ratelimit-remaining-requests');
    expect(error.headers.get('request-id')).toBe(error.headers.get('x-request-id'));
    expect(error.headers.get('x-smartflow-upstream-request-id')).toBe('req_openai');
  });

  it('after a fallback they are those of the target that answered, in the same dialect too', async () => {
    running.upstream.reset();
    const first = refuses(429, { message: 'Rate limit reached' }, { ...OPENAI_HEADERS, 'retry-after': '30' });
    running.upstream.respond({ model: 'same' }, first);
    const well = says(FROM_SECOND);
    const headers = { ...well.headers, 'x-request-id': 'req_second', 'x-ratelimit-remaining-tokens': '9' };
    running.upstream.respond({ path: '/second/v1/chat/completions' }, { ...well, headers });
    const { response } = await openai().chat.completions.create({ model: 'same', messages }).withResponse();
    expect(response.headers.get('x-smartflow-provider')).toBe('second');
    expect(response.headers.get('x-ratelimit-remaining-tokens')).toBe('9');
    expect(response.headers.get('x-smartflow-upstream-request-id')).toBe('req_second');
    for (const name of ['x-ratelimit-remaining-requests', 'openai-version', 'retry-after'])
      expect(namesOf(response.headers)).not.toContain(name);
  });
});
