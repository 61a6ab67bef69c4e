import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { startTestPostgres, startTestRedis, type TestPostgres, type TestRedis } from '#libs/stores/testing.js';
import { eventually, recordedChildren, startProduct, temporaryDataDir, type Product } from '../harness.js';

/** A provider that counts the calls it has under way. What it does stands in the caller's text. */
class CountingUpstream {
  running = 0;
  most = 0;
  served = 0;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      let body = '';
      this.running += 1;
      this.most = Math.max(this.most, this.running);
      response.on('close', () => (this.running -= 1));
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        this.served += 1;
        const wish = (name: string): number => Number(new RegExp(`${name}=(\\d+)`).exec(body)?.[1] ?? 0);
        if (body.includes('hang')) return;
        if (body.includes('cut')) return void response.destroy();
        const tokens = wish('tokens') || 3;
        setTimeout(() => {
          response.writeHead(wish('status') || 200, { 'content-type': 'application/json' });
          response.end(
            JSON.stringify({
              id: 'x',
              object: 'chat.completion',
              type: 'message',
              role: 'assistant',
              content: [],
              stop_reason: 'end_turn',
              choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'ok' } }],
              usage: {
                prompt_tokens: tokens,
                completion_tokens: 0,
                total_tokens: tokens,
                input_tokens: tokens,
                output_tokens: 0,
              },
            }),
          );
        }, wish('wait'));
      });
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  reset(): void {
    this.most = 0;
    this.served = 0;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const secretOf = (name: string): string => `key-of-${name}-0123456789abcdef`;
const KEYS = [
  { name: 'rpm', limits: { rpm: 40 } },
  { name: 'slots', limits: { max_parallel: 6 } },
  { name: 'one-slot', limits: { max_parallel: 1 } },
  { name: 'crash', limits: { max_parallel: 2 } },
  { name: 'tokens', limits: { tpm: 2000 } },
  { name: 'sdk', limits: { rpm: 2, tpm: 100_000 } },
  { name: 'sdk-2', limits: { rpm: 2 } },
  { name: 'sdk-3', limits: { rpm: 1 } },
  { name: 'team-a', team: 'pair' },
  { name: 'team-b', team: 'pair' },
  { name: 'owned', user: 'ada', app: 'portal' },
  { name: 'free-a' },
  { name: 'free-b' },
  { name: 'outage', limits: { rpm: 20 } },
];

let upstream: CountingUpstream;
let postgres: TestPostgres;
let redis: TestRedis;
let folder: string;
const open: Product[] = [];
const pair = (): [Product, Product] => open as [Product, Product];

beforeAll(async () => {
  upstream = new CountingUpstream();
  const origin = await upstream.listen();
  [postgres, redis, folder] = await Promise.all([startTestPostgres(), startTestRedis(), temporaryDataDir()]);
  const common = { api_key: 'sk-upstream-1234567890', timeouts: { first_byte_ms: 1000, total_ms: 20_000 } };
  const config = {
    egress: { allow: ['127.0.0.0/8'] },
    limits: { drain_ms: 0 },
    providers: {
      openai: { type: 'openai', base_url: `${origin}/v1`, ...common },
      anthropic: { type: 'anthropic', base_url: origin, ...common },
      google: { type: 'google', base_url: origin, ...common },
      patient: { type: 'openai-compatible', base_url: `${origin}/v1`, api_key: 'sk-upstream-1234567890' },
    },
    models: { scarce: { target: 'openai/gpt-scarce', limits: { rpm: 3 } } },
    teams: { pair: { limits: { rpm: 5 } } },
    users: { ada: { limits: { rpm: 50 } } },
    apps: { portal: { limits: { rpm: 2 } } },
    keys: KEYS.map((key) => ({ ...key, key: secretOf(key.name) })),
  };
  const env = { DATABASE_URL: postgres.ownerUrl.reveal(), REDIS_URL: redis.url.reveal() };
  const started = await Promise.all(
    ['a', 'b'].map((name) => startProduct({ env, config, dataDir: path.join(folder, name) })),
  );
  open.push(...started);
  await sleep(1_500); // each has learnt that there are two
}, 120_000);
afterAll(async () => {
  await Promise.all(open.map((product) => product.stop()));
  await Promise.all([postgres?.stop(), redis?.stop(), upstream?.stop()]);
  await rm(folder, { recursive: true, force: true });
}, 60_000);
beforeEach(() => upstream.reset());

function chat(product: Product, key: string, text = 'hi', more: { model?: string; signal?: AbortSignal } = {}) {
  const { model = 'gpt-5', signal } = more;
  return fetch(`${product.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secretOf(key)}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: text }] }),
    ...(signal === undefined ? {} : { signal }),
  });
}
async function statusOf(answer: Promise<Response>): Promise<number> {
  const response = await answer;
  await response.arrayBuffer();
  return response.status;
}
/** The call passes as soon as a slot that may still be on its way back is there. */
const passes = (product: Product, key: string): Promise<true> =>
  eventually('a free slot', 5_000, async () => ((await statusOf(chat(product, key))) === 200 ? true : null));

describe('rate limits over two gateways', () => {
  it('KEY-1: of a burst of 200 concurrent calls exactly rpm pass, and no more reach the provider', async () => {
    const statuses = await Promise.all(
      Array.from({ length: 200 }, (_, n) => statusOf(chat(pair()[n % 2] as Product, 'rpm'))),
    );
    expect(statuses.filter((status) => status === 200)).toHaveLength(40);
    expect(statuses.filter((status) => status === 429)).toHaveLength(160);
    expect(upstream.served).toBe(40);
  });

  it('KEY-1: bursts of 200 concurrent calls never have more than max_parallel under way, and leave none behind', async () => {
    for (let burst = 0; burst < 3; burst++) {
      const statuses = await Promise.all(
        Array.from({ length: 200 }, (_, n) => statusOf(chat(pair()[n % 2] as Product, 'slots', 'wait=150'))),
      );
      expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(6);
      expect(new Set(statuses)).toEqual(new Set([200, 429]));
    }
    expect(upstream.most).toBe(6);
    await sleep(300);
    for (const product of pair()) {
      const statuses = await Promise.all(Array.from({ length: 6 }, () => statusOf(chat(product, 'slots', 'wait=50'))));
      expect(statuses).toEqual([200, 200, 200, 200, 200, 200]);
      await sleep(300);
    }
  });

  it('KEY-1: the slot is free again however a call ends', async () => {
    const [a, b] = pair();
    expect(await statusOf(chat(a, 'one-slot', 'status=500'))).toBe(500);
    await passes(b, 'one-slot');
    expect(await statusOf(chat(a, 'one-slot', 'cut'))).toBe(502);
    await passes(b, 'one-slot');
    expect(await statusOf(chat(a, 'one-slot', 'hang'))).toBe(504);
    await passes(b, 'one-slot');
    expect(await statusOf(chat(a, 'one-slot', 'hi', { model: 'no-such-model' }))).toBe(404);
    await passes(b, 'one-slot');
    // the caller leaves while the provider is silent
    await expect(statusOf(chat(a, 'one-slot', 'hang', { signal: AbortSignal.timeout(200) }))).rejects.toThrow();
    await passes(b, 'one-slot');
    // many callers leave at once, some of them while they wait for their admission
    const leaving = Array.from({ length: 50 }, (_, n) =>
      statusOf(chat(a, 'one-slot', 'wait=300', { signal: AbortSignal.timeout(1 + n) })).catch(() => 0),
    );
    await Promise.all(leaving);
    await passes(b, 'one-slot');
    await passes(a, 'one-slot');
  }, 30_000);

  it('a limit of a team, of a user, of an app or of a model counts all who share it', async () => {
    const [a, b] = pair();
    const team = await Promise.all(
      Array.from({ length: 12 }, (_, n) => chat(n % 2 === 0 ? a : b, n % 3 === 0 ? 'team-a' : 'team-b')),
    );
    expect(team.filter(({ status }) => status === 200)).toHaveLength(5);
    const refused = team.find(({ status }) => status === 429) as Response;
    expect(refused.headers.get('x-smartflow-limit-scope')).toBe('team');
    expect(refused.headers.get('x-smartflow-limit')).toBe('rpm');
    expect(((await refused.json()) as { error: { message: string } }).error.message).toContain('team "pair"');

    const owned = [];
    for (let i = 0; i < 3; i++) owned.push(await chat(a, 'owned'));
    expect(owned.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(owned[2]?.headers.get('x-smartflow-limit-scope')).toBe('app');

    const model = await Promise.all(
      ['scarce', 'openai/gpt-scarce', 'scarce', 'openai/gpt-scarce', 'scarce', 'scarce'].map((name, n) =>
        chat(n % 2 === 0 ? a : b, n % 2 === 0 ? 'free-a' : 'free-b', 'hi', { model: name }),
      ),
    );
    expect(model.filter(({ status }) => status === 200)).toHaveLength(3);
    const last = model.find(({ status }) => status === 429) as Response;
    expect(last.headers.get('x-smartflow-limit-scope')).toBe('model');
    expect(await statusOf(chat(a, 'free-a'))).toBe(200);
  });

  it('tokens are counted as the provider reports them', async () => {
    const [a, b] = pair();
    expect(await statusOf(chat(a, 'tokens', 'tokens=1500'))).toBe(200);
    await sleep(300);
    expect(await statusOf(chat(b, 'tokens', 'tokens=600'))).toBe(429);
    const refused = await chat(b, 'tokens');
    expect(refused.status).toBe(429);
    expect(refused.headers.get('x-ratelimit-limit-tokens')).toBe('2000');
    const alone = await chat(a, 'tokens', 'x'.repeat(20_000));
    expect([alone.status, alone.headers.get('x-should-retry'), alone.headers.get('retry-after')]).toEqual([
      429,
      'false',
      null,
    ]);
  });

  it('the OpenAI SDK sees the limit in the names it knows', async () => {
    const client = new OpenAI({ baseURL: `${pair()[0].url}/v1`, apiKey: secretOf('sdk'), maxRetries: 0 });
    const ask = { model: 'gpt-5', messages: [{ role: 'user' as const, content: 'hi' }] };
    const { response } = await client.chat.completions.create(ask).withResponse();
    expect(response.headers.get('x-ratelimit-limit-requests')).toBe('2');
    expect(response.headers.get('x-ratelimit-remaining-requests')).toBe('1');
    expect(response.headers.get('x-ratelimit-limit-tokens')).toBe('100000');
    await client.chat.completions.create(ask);
    const error = await client.chat.completions.create(ask).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenAI.RateLimitError);
    const { status, code, type, headers, message } = error as InstanceType<typeof OpenAI.RateLimitError>;
    expect([status, code, type]).toEqual([429, 'rate_limit_exceeded', 'rate_limit_error']);
    expect(message).toContain('2 requests per minute');
    const wait = Number(headers?.get('retry-after'));
    expect(wait).toBeGreaterThanOrEqual(1);
    expect(wait).toBeLessThanOrEqual(60);
    expect(headers?.get('x-ratelimit-remaining-requests')).toBe('0');
    expect(headers?.get('x-ratelimit-reset-requests')).toMatch(/^(\d+s|1m\d+s)$/);
    expect(headers?.get('x-should-retry')).toBeNull();
    expect(headers?.get('x-smartflow-limit-scope')).toBe('key');
  });

  it('the Anthropic SDK sees the limit in the names it knows; the Gemini API gets its own error', async () => {
    const [a, b] = pair();
    const client = new Anthropic({ baseURL: `${b.url}/anthropic`, apiKey: secretOf('sdk-2'), maxRetries: 0 });
    const ask = { model: 'claude-sonnet-5', max_tokens: 10, messages: [{ role: 'user' as const, content: 'hi' }] };
    const { response } = await client.messages.create(ask).withResponse();
    expect(response.headers.get('anthropic-ratelimit-requests-limit')).toBe('2');
    await client.messages.create(ask);
    const error = await client.messages.create(ask).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Anthropic.RateLimitError);
    const { headers, status } = error as InstanceType<typeof Anthropic.RateLimitError>;
    expect([status, headers.get('anthropic-ratelimit-requests-remaining')]).toEqual([429, '0']);
    expect(Date.parse(headers.get('anthropic-ratelimit-requests-reset') ?? '')).toBeGreaterThan(Date.now() - 1000);
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60);

    const gemini = (): Promise<Response> =>
      fetch(`${a.url}/gemini/v1beta/models/gemini-3-flash:generateContent`, {
        method: 'POST',
        headers: { 'x-goog-api-key': secretOf('sdk-3'), 'content-type': 'application/json' },
        body: JSON.stringify({ contents: [] }),
      });
    expect((await gemini()).status).toBe(200);
    const refused = await gemini();
    expect([refused.status, Number(refused.headers.get('retry-after')) >= 1]).toEqual([429, true]);
    expect(await refused.json()).toMatchObject({
      error: { code: 429, status: 'RESOURCE_EXHAUSTED', details: [{ retryDelay: expect.stringMatching(/^\d+s$/) }] },
    });
  });

  it('a key made by the API is limited everywhere, and its limits change without a restart', async () => {
    const [a, b] = pair();
    const admin = (method: string, at: string, body: object): Promise<Response> =>
      fetch(`${a.url}${at}`, {
        method,
        headers: { authorization: `Bearer ${a.adminToken}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const made = (await (
      await admin('POST', '/api/keys?wait=applied', { name: 'by-api', limits: { rpm: 3 } })
    ).json()) as { id: string; key: string };
    const ask = (product: Product): Promise<number> =>
      statusOf(
        fetch(`${product.url}/v1/chat/completions`, {
          method: 'POST',
          headers: { authorization: `Bearer ${made.key}`, 'content-type': 'application/json' },
          body: JSON.stringify({ model: 'gpt-5', messages: [] }),
        }),
      );
    expect(await Promise.all([a, b, a, b, a].map(ask))).toEqual(expect.arrayContaining([200, 200, 200, 429, 429]));
    await admin('PATCH', `/api/keys/${made.id}?wait=applied`, { limits: { rpm: 5 } });
    await sleep(300);
    expect([await ask(a), await ask(b), await ask(a)]).toEqual([200, 200, 429]);
    await admin('PATCH', `/api/keys/${made.id}?wait=applied`, { limits: null });
    expect(await Promise.all([a, b, a, b].map(ask))).toEqual([200, 200, 200, 200]);
    // and it is known when it was used
    const used = await eventually('the last use', 10_000, async () => {
      const key = (await (
        await fetch(`${b.url}/api/keys/${made.id}`, { headers: { authorization: `Bearer ${b.adminToken}` } })
      ).json()) as { last_used_at: string | null };
      return key.last_used_at;
    });
    expect(Math.abs(Date.parse(used) - Date.now())).toBeLessThan(60_000);
  }, 30_000);

  it('KEY-1: a blocked key stops on every replica within three seconds, without anybody waiting for it', async () => {
    const [a, b] = pair();
    const made = (await (
      await fetch(`${a.url}/api/keys?wait=applied`, {
        method: 'POST',
        headers: { authorization: `Bearer ${a.adminToken}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'to-block' }),
      })
    ).json()) as { id: string; key: string };
    const works = (product: Product): Promise<number> =>
      statusOf(fetch(`${product.url}/v1/models`, { headers: { authorization: `Bearer ${made.key}` } }));
    expect([await works(a), await works(b)]).toEqual([200, 200]);
    await fetch(`${a.url}/api/keys/${made.id}/block`, {
      method: 'POST',
      headers: { authorization: `Bearer ${a.adminToken}` },
    });
    await eventually('the other replica refuses it', 3_000, async () => ((await works(b)) === 401 ? true : null));
  });

  it('KEY-1: the slots of a gateway that was killed are free again within seconds', async () => {
    const [a, b] = pair();
    const lost = [1, 2].map(() => chat(a, 'crash', 'hang', { model: 'patient/x' }).catch(() => null));
    await eventually('both calls at the provider', 5_000, () => (upstream.running >= 2 ? true : null));
    expect(await statusOf(chat(b, 'crash'))).toBe(429);
    process.kill((await recordedChildren(a.dataDir)).gateway, 'SIGKILL');
    await Promise.all(lost);
    await eventually('a free slot', 12_000, async () => ((await statusOf(chat(b, 'crash'))) === 200 ? true : null));
    await eventually('the gateway is back', 20_000, async () =>
      (await statusOf(chat(a, 'free-a'))) === 200 ? true : null,
    );
    await sleep(6_500); // the killed one counts as a replica until then
  }, 60_000);

  it('OPS-3: without Redis each of two gateways lets in half of the limit', async () => {
    await redis.kill();
    const statuses = await Promise.all(
      Array.from({ length: 60 }, (_, n) => statusOf(chat(pair()[n % 2] as Product, 'outage'))),
    );
    expect(statuses.filter((status) => status === 200)).toHaveLength(20);
    expect(statuses.filter((status) => status === 429)).toHaveLength(40);
    expect(await statusOf(chat(pair()[0], 'free-a'))).toBe(200);
  });
});
