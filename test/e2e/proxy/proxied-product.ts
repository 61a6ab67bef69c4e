import { startFakeUpstream, type FakeUpstream } from '#test/fakes/upstream/fake-upstream.js';
import { eventually, startProduct, type Product } from '../harness.js';

/** The product with one fake upstream behind each kind of provider. */
export interface ProxiedProduct {
  readonly product: Product;
  readonly upstream: FakeUpstream;
  stop(): Promise<void>;
}

export interface LogItem {
  readonly id: string;
  readonly status: number;
  readonly error: string | null;
  readonly model: string;
  readonly provider: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costUsd: string;
}

/** The credential the gateway has for its upstreams: it must never reach a caller. */
export const UPSTREAM_SECRET = 'sk-upstream-4f8a2b6c9d';

const TIMEOUTS = { connect_ms: 1000, first_byte_ms: 1500, idle_ms: 1500, total_ms: 8000 };

/** Starts both. Providers `openai`, `anthropic`, `google`, `azure` and `local` all lead to the fake; `gone` to a closed port. */
export async function startProxied(more: Readonly<Record<string, unknown>> = {}): Promise<ProxiedProduct> {
  const upstream = await startFakeUpstream();
  const common = { api_key: UPSTREAM_SECRET, timeouts: TIMEOUTS };
  const product = await startProduct({
    config: {
      egress: { allow: ['127.0.0.0/8'] },
      providers: {
        demo: { type: 'demo' },
        openai: { type: 'openai', base_url: `${upstream.url}/v1`, ...common },
        anthropic: { type: 'anthropic', base_url: upstream.url, ...common },
        google: { type: 'google', base_url: upstream.url, ...common },
        azure: { type: 'azure-openai', base_url: `${upstream.url}/`, api_version: '2025-01-01', ...common },
        local: { type: 'openai-compatible', base_url: `${upstream.url}/api/v1`, stream_usage: false, ...common },
        gone: { type: 'openai-compatible', base_url: 'http://127.0.0.1:1/v1', ...common },
      },
      models: { fast: { target: 'openai/gpt-5-mini' } },
      ...more,
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

/** POST with the first virtual key. */
export function post(
  product: Product,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return fetch(product.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${product.key}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** The log row of a request, as soon as it is there. */
export function logOf(product: Product, id: string): Promise<LogItem> {
  return eventually(`the log row ${id}`, 5000, async () => {
    const answer = await fetch(`${product.url}/api/logs/${id}`, {
      headers: { authorization: `Bearer ${product.adminToken}` },
    });
    return answer.status === 200 ? ((await answer.json()) as LogItem) : null;
  });
}
