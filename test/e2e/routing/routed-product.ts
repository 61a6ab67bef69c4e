import { startFakeUpstream, type FakeUpstream } from '#test/fakes/upstream/fake-upstream.js';
import { json, sse, type Answer } from '#test/fakes/upstream/behaviour.js';
import { eventually, startProduct, type Product } from '../harness.js';

/** The product with chains whose first target each test makes fail, and whose second one is well. */
export interface RoutedProduct {
  readonly product: Product;
  readonly upstream: FakeUpstream;
  stop(): Promise<void>;
}

/** A ledger row as the log's API shows it. */
export interface Row {
  readonly id: string;
  readonly status: number;
  readonly upstreamStatus: number | null;
  readonly error: string | null;
  readonly model: string;
  readonly modelRequested: string;
  readonly provider: string;
  readonly attempts: number;
  readonly chain: string | null;
  readonly requestId: string | null;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costUsd: string;
}

/** Ten tokens in, five out: 0.00002 at the first target, 0.00005 at the second. */
export const FIRST_USD = '0.00002';
export const SECOND_USD = '0.00005';
const PRICES = { first: { input: 1, output: 2 }, second: { input: 3, output: 4 } };

const WAITS = { connect_ms: 1000, first_byte_ms: 20_000, idle_ms: 1500, total_ms: 30_000 };

/**
 * @param names of the scenarios: each has a chain of that name, with a first target that no other scenario has (a breaker
 * that one opens is none of the others' business) and `second/well`
 */
export async function startRouted(
  names: readonly string[],
  more: (upstream: FakeUpstream) => Readonly<Record<string, unknown>> = () => ({}),
): Promise<RoutedProduct> {
  const upstream = await startFakeUpstream();
  const common = { api_key: 'sk-upstream-4f8a2b6c9d', timeouts: WAITS };
  const { providers = {}, fallback_chains = {}, prices = {}, ...rest } = more(upstream) as Record<string, object>;
  const product = await startProduct({
    config: {
      egress: { allow: ['127.0.0.0/8'] },
      providers: {
        demo: { type: 'demo' },
        first: { type: 'openai-compatible', base_url: `${upstream.url}/first/v1`, ...common },
        second: { type: 'openai-compatible', base_url: `${upstream.url}/second/v1`, ...common },
        claude: { type: 'anthropic', base_url: `${upstream.url}/claude`, ...common },
        google: { type: 'google', base_url: `${upstream.url}/google`, ...common },
        gone: { type: 'openai-compatible', base_url: 'http://127.0.0.1:1/v1', ...common },
        nowhere: { type: 'openai-compatible', base_url: 'http://nowhere.invalid/v1', ...common },
        ...providers,
      },
      prices: {
        'second/well': PRICES.second,
        ...Object.fromEntries(names.map((name) => [`first/${name}`, PRICES.first])),
        ...prices,
      },
      fallback_chains: {
        ...Object.fromEntries(
          names.map((name) => [
            name,
            {
              steps: [
                { targets: [{ model: `first/${name}`, timeout_ms: 1500 }] },
                { targets: [{ model: 'second/well' }] },
              ],
              retry: { base_ms: 20, max_backoff_ms: 200 },
            },
          ]),
        ),
        ...fallback_chains,
      },
      ...rest,
    },
  });
  return {
    product,
    upstream,
    async stop() {
      await product.stop();
      await upstream.stop();
    },
  };
}

const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };

/** A chat answer that says `text`. */
export function says(text: string): Answer {
  const message = { role: 'assistant', content: text };
  return json({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [{ index: 0, message, finish_reason: 'stop' }],
    usage,
  });
}

/** One chunk of a chat stream as an event. */
export function chunk(delta: Readonly<Record<string, unknown>>, finish: string | null = null): string {
  const choices = [{ index: 0, delta, finish_reason: finish }];
  return event({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm', choices });
}

const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;

/** The beginning of a chat stream: no content yet. */
export const OPENING = chunk({ role: 'assistant', content: '' });

/** A chat stream that says `text`, whole. */
export function streams(text: string): Answer {
  const last = event({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage });
  return sse([OPENING, chunk({ content: text }), chunk({}, 'stop'), last, 'data: [DONE]\n\n']);
}

/** An error body as OpenAI writes it. */
export function refuses(
  status: number,
  error: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return json({ error }, { status, headers });
}

/** The row of a request, once it is there, and all rows of its chain or model: failed attempts may have one of their own. */
export function rowsOf(
  product: Product,
  modelRequested: string,
  answered: Headers,
): Promise<{ readonly row: Row; readonly rows: readonly Row[] }> {
  const id = answered.get('x-request-id');
  return eventually(`the row ${id} of ${modelRequested}`, 8000, async () => {
    const answer = await fetch(`${product.url}/api/logs?limit=200`, {
      headers: { authorization: `Bearer ${product.adminToken}` },
    });
    const { items } = (await answer.json()) as { items: readonly Row[] };
    const rows = items.filter((one) => one.modelRequested === modelRequested);
    const row = rows.find((one) => one.id === id);
    return row === undefined ? null : { row, rows };
  });
}
