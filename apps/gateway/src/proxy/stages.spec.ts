import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { type Admission, type KeyRecord } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';
import { renderMetrics } from '#libs/platform/metrics.js';
import { bundledPriceTable } from '#libs/pricing/index.js';
import type { Target } from '#libs/routing/index.js';
import { anyKey, providerOf, snapshotWith } from '#test/fakes/any-call.js';
import { ActiveCalls } from './active-calls.js';
import { authenticate } from './authenticate.js';
import { DrainRoom } from './client-gone.js';
import type { DataPlane } from './data-plane.js';
import { resolve } from './resolve.js';
import { estimate } from './estimate.js';
import { endpointOf, endpointsAt } from './endpoints.js';
import { Exchange } from './exchange.js';
import { prepareBody } from './prepare.js';
import { ProxyMetrics } from './proxy-metrics.js';
import { read } from './read.js';
import { upstreamHeaders } from './request-headers.js';
import { answerHeaders } from './response-headers.js';
import { settle } from './settle.js';
import type { UpstreamAttempt } from './upstream-attempt.js';
import { allowedMethods, unknownRoute } from './unknown-route.js';

const key: KeyRecord = {
  ...anyKey,
  mayUseModel: (model) => model !== 'openai/forbidden' && model !== 'forbidden',
};

const providers = [
  providerOf({ name: 'openai', type: 'openai' }),
  providerOf({ name: 'anthropic', type: 'anthropic' }),
  providerOf({ name: 'google', type: 'google' }),
  providerOf({ name: 'plain', type: 'openai-compatible', baseUrl: 'http://127.0.0.1:9/v1', streamUsage: false }),
];
const snapshot = snapshotWith(key, providers);

interface Sent {
  readonly route?: string;
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

function exchangeOf({ route = '/v1/chat/completions', url = route, headers = {}, body = '' }: Sent): Exchange {
  const request = new IncomingMessage(new Socket());
  Object.assign(request, { url, method: 'POST', headers, rawHeaders: Object.entries(headers).flat() });
  return new Exchange(endpointOf('POST', route)!, request, new ServerResponse(request), Buffer.from(body), snapshot);
}

function exchangeOfModel(model: string): Exchange {
  const exchange = exchangeOf({ body: JSON.stringify({ model }) });
  read(exchange);
  return exchange;
}

const sentTo = (target: Target, maxTokens: number | null = null) => ({ target, maxTokens, hidesUsageChunk: false });

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
  return 'none';
};

describe('Exchange', () => {
  it('has one shape: no stage adds a field (a fixed hidden class keeps the hot path fast)', () => {
    const fresh = Object.keys(exchangeOf({}));
    const used = exchangeOf({ headers: { authorization: 'Bearer good' }, body: '{"model":"fast","stream":true}' });
    authenticate(used);
    const reading = read(used);
    const target = resolve(used, key);
    used.body = prepareBody(used, reading, sentTo(target));
    upstreamHeaders(used, target);
    expect(Object.keys(used)).toEqual(fresh);
  });
});

describe('authenticate', () => {
  it.each<[string, Sent, string]>([
    ['no key', {}, 'key_missing'],
    ['bearer', { headers: { authorization: 'Bearer good' } }, 'none'],
    ['lower-case scheme', { headers: { authorization: 'bearer good' } }, 'none'],
    ['x-api-key', { headers: { 'x-api-key': 'good' } }, 'none'],
    ['x-goog-api-key', { headers: { 'x-goog-api-key': 'good' } }, 'none'],
    ['the same key twice', { headers: { authorization: 'Bearer good', 'x-api-key': 'good' } }, 'none'],
    ['two different keys', { headers: { authorization: 'Bearer good', 'x-api-key': 'good2' } }, 'key_conflict'],
    [
      'header and query differ',
      { url: '/v1/chat/completions?key=good2', headers: { 'x-api-key': 'good' } },
      'key_conflict',
    ],
    ['two keys in the query', { url: '/v1/chat/completions?key=good&key=good' }, 'key_conflict'],
    ['basic', { headers: { authorization: 'Basic Z29vZA==' } }, 'key_invalid'],
    ['unknown', { headers: { authorization: 'Bearer bad' } }, 'key_invalid'],
    ['empty bearer', { headers: { authorization: 'Bearer ' } }, 'key_missing'],
    ['broken escape', { url: '/v1/chat/completions?key=%zz' }, 'bad_path'],
  ])('KEY-1: %s', (_name, sent, code) => {
    expect(codeOf(() => authenticate(exchangeOf(sent)))).toBe(code);
  });

  it('LLM-4: a key in the query is taken out of what goes on', () => {
    const exchange = exchangeOf({ url: '/v1/chat/completions?alt=sse&key=good&x=1' });
    authenticate(exchange);
    expect(exchange.query).toBe('alt=sse&x=1');
  });
});

describe('read', () => {
  it.each<[string, Sent, string]>([
    ['malformed JSON', { body: '{' }, 'invalid_json'],
    ['no body', {}, 'invalid_json'],
    ['no model', { body: '{"messages":[]}' }, 'model_missing'],
    ['model of a wrong type', { body: '{"model":5}' }, 'model_missing'],
    ['empty model', { body: '{"model":""}' }, 'model_missing'],
    ['stream of a wrong type', { body: '{"model":"a","stream":"yes"}' }, 'invalid_request'],
    ['compressed', { body: '{"model":"a"}', headers: { 'content-encoding': 'gzip' } }, 'unsupported_encoding'],
    ['null stream', { body: '{"model":"a","stream":null}' }, 'none'],
    [
      'gemini without action',
      { route: '/gemini/v1beta/models/*', url: '/gemini/v1beta/models/gemini-3', body: '{}' },
      'route_not_found',
    ],
    [
      'gemini with an unknown action',
      { route: '/gemini/v1beta/models/*', url: '/gemini/v1beta/models/gemini-3:explode', body: '{}' },
      'route_not_found',
    ],
    [
      'gemini',
      { route: '/v1beta/models/*', url: '/v1beta/models/gemini-3:generateContent?alt=sse', body: '{}' },
      'none',
    ],
  ])('%s', (_name, sent, code) => {
    expect(codeOf(() => read(exchangeOf(sent)))).toBe(code);
  });

  it('LLM-3: a Responses-shaped body on a chat route becomes a chat request', () => {
    const body = JSON.stringify({
      model: 'fast',
      stream: true,
      instructions: 'be brief',
      max_output_tokens: 9,
      user: 'u',
      input: [
        { role: 'user', content: [{ type: 'input_text', text: 'hi' }] },
        { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{}' },
        { type: 'function_call', call_id: 'c2', name: 'g', arguments: '{}' },
        { type: 'function_call_output', call_id: 'c1', output: 'ok' },
        { type: 'reasoning', encrypted_content: 'x' },
      ],
      tools: [{ type: 'function', name: 'f', parameters: {} }],
    });
    const exchange = exchangeOf({ route: '/cursor/chat/completions', body });
    read(exchange);
    expect(JSON.parse(exchange.body.toString())).toEqual({
      model: 'fast',
      stream: true,
      user: 'u',
      max_completion_tokens: 9,
      messages: [
        { role: 'system', content: 'be brief' },
        { role: 'user', content: 'hi' },
        {
          role: 'assistant',
          content: null,
          tool_calls: [
            { id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } },
            { id: 'c2', type: 'function', function: { name: 'g', arguments: '{}' } },
          ],
        },
        { role: 'tool', tool_call_id: 'c1', content: 'ok' },
      ],
      tools: [{ type: 'function', function: { name: 'f', parameters: {} } }],
    });
  });
});

describe('resolve', () => {
  it.each<[string, string, string]>([
    ['/v1/chat/completions', 'fast', 'none'],
    ['/v1/chat/completions', 'nothing-here', 'model_not_found'],
    ['/v1/chat/completions', 'forbidden', 'model_not_found'],
    ['/v1/chat/completions', 'openai/forbidden', 'model_not_found'],
    ['/v1/chat/completions', 'claude-sonnet-5', 'none'],
    ['/v1/embeddings', 'claude-sonnet-5', 'wrong_dialect'],
    ['/anthropic/v1/messages', 'claude-sonnet-5[1m]', 'none'],
    ['/anthropic/v1/messages', 'gpt-5', 'none'],
    ['/anthropic/v1/messages/count_tokens', 'gpt-5', 'wrong_dialect'],
  ])('LLM-5, LLM-7, LLM-9: %s with %s', (route, model, code) => {
    const exchange = exchangeOf({ route, body: JSON.stringify({ model }) });
    read(exchange);
    expect(codeOf(() => resolve(exchange, key))).toBe(code);
  });
});

describe('prepareBody', () => {
  const prepared = (body: string): string => {
    const exchange = exchangeOf({ body });
    const reading = read(exchange);
    return prepareBody(exchange, reading, sentTo(resolve(exchange, key))).toString();
  };

  it.each([
    ['{"model":"gpt-5","x":[1, 2.50],"unknown":{"é":"ü"}}', '{"model":"gpt-5","x":[1, 2.50],"unknown":{"é":"ü"}}'],
    ['{ "model" : "fast" }', '{ "model" : "gpt-5-mini" }'],
    ['{"model":"openai/gpt-5"}', '{"model":"gpt-5"}'],
    ['{"model":"gpt-5[1m]"}', '{"model":"gpt-5"}'],
    ['{"model":"gpt-5","stream":true}', '{"model":"gpt-5","stream":true,"stream_options":{"include_usage":true}}'],
    [
      '{"stream_options":{"x":1},"model":"gpt-5","stream":true}',
      '{"stream_options":{"x":1,"include_usage":true},"model":"gpt-5","stream":true}',
    ],
    [
      '{"stream_options":null,"model":"gpt-5","stream":true}',
      '{"stream_options":{"include_usage":true},"model":"gpt-5","stream":true}',
    ],
    [
      '{"stream_options":{"include_usage":true},"model":"gpt-5","stream":true}',
      '{"stream_options":{"include_usage":true},"model":"gpt-5","stream":true}',
    ],
    ['{"model":"plain/x","stream":true}', '{"model":"x","stream":true}'],
    [
      '{"stream_options":"odd","model":"gpt-5","stream":true}',
      '{"stream_options":"odd","model":"gpt-5","stream":true}',
    ],
  ])('LLM-8: %s goes out as %s', (body, expected) => {
    expect(prepared(body)).toBe(expected);
  });

  it.each([
    ['{"model":"gpt-5"}', '{"model":"gpt-5","max_completion_tokens":64}'],
    ['{"model":"plain/x"}', '{"model":"x","max_tokens":64}'],
    [
      '{"model":"fast","max_tokens":128000,"stream":true}',
      '{"model":"gpt-5-mini","max_tokens":64,"stream":true,"stream_options":{"include_usage":true}}',
    ],
    ['{"model":"plain/x","stream":true,"messages":[]}', '{"model":"x","stream":true,"messages":[],"max_tokens":64}'],
  ])('KEY-4: %s goes out as %s when 64 tokens are all the money buys', (body, expected) => {
    const exchange = exchangeOf({ body });
    const reading = read(exchange);
    const sent = prepareBody(exchange, reading, sentTo(resolve(exchange, key), 64)).toString();
    expect(sent).toBe(expected);
    JSON.parse(sent);
  });
});

describe('estimate', () => {
  it('KEY-4: bounds the call at the prices of its settlement, and the bill is watched against the bound', async () => {
    const costs: number[] = [];
    const plane = {
      prices: bundledPriceTable(),
      metrics: new ProxyMetrics(new ActiveCalls(), new DrainRoom(0)),
      budgets: { settle: (_admission: unknown, costNanos: number) => void costs.push(costNanos) },
      unpriced: { note: () => {} },
      bodies: null,
    } as unknown as DataPlane;
    const exchange = exchangeOf({
      body: '{"model":"fast","max_tokens":1000,"messages":[{"role":"user","content":"hi"}]}',
    });
    const reading = read(exchange);
    exchange.key = key;
    const target = resolve(exchange, key);
    const bound = estimate(exchange, reading, key, target, plane);
    expect(bound).toMatchObject({ refuse: null, maxTokens: 1000, injectedMaxTokens: null });
    const answer = Buffer.from('{"usage":{"prompt_tokens":8,"completion_tokens":1000}}');
    const usage = exchange.endpoint.dialect.usageOfBody('chat', answer);
    exchange.admission = { draft: '{}', accounts: [], set: { hasHard: true } } as unknown as Admission;
    exchange.attempt = { target, boundNanos: bound.wantNanos } as unknown as UpstreamAttempt;
    settle(exchange, plane, { usage, complete: true, error: null, sent: true, captured: null });
    expect(costs[0]).toBeGreaterThan(0);
    expect(costs[0]).toBeLessThanOrEqual(bound.wantNanos);
    expect(await renderMetrics()).toContain(
      'smartflow_billed_bound_ratio_bucket{provider="openai",model="gpt-5-mini",le="1"} 1',
    );
  });
});

describe('estimate in a mixed chain', () => {
  it('KEY-4: each target is bounded by the name under which it reads a maximum, and is asked under that name', () => {
    const price = { provider: 'plain', model: 'x', inputUsd: 1, outputUsd: 1, cachedInputUsd: null };
    const overrides = [{ ...price, cacheWrite5mUsd: null, cacheWrite1hUsd: null, fromMs: 0 }];
    const exchange = exchangeOf({ body: '{"model":"gpt-5","max_completion_tokens":100}' });
    Object.assign(exchange, { snapshot: { ...snapshot, priceOverrides: { of: () => overrides } } });
    const reading = read(exchange);
    const plane = { prices: bundledPriceTable() };
    const own = estimate(exchange, reading, key, resolve(exchange, key), plane);
    const compatible = resolve(exchangeOfModel('plain/x'), key);
    const bound = estimate(exchange, reading, key, compatible, plane);
    expect(own).toMatchObject({ refuse: null, maxTokens: 100, injectedMaxTokens: null });
    expect(bound).toMatchObject({ refuse: null, maxTokens: 100, injectedMaxTokens: 100 });
    const sent = prepareBody(exchange, reading, sentTo(compatible, bound.injectedMaxTokens)).toString();
    expect(JSON.parse(sent)).toMatchObject({ max_tokens: 100 });
  });
});

describe('upstreamHeaders', () => {
  it('LLM-2: passes unknown and anthropic-* headers on and stops credentials, hop-by-hop and our own', () => {
    const headers = {
      'X-Api-Key': 'good',
      Cookie: 'a=b',
      Host: 'gw',
      Connection: 'keep-alive, X-Hop',
      'X-Hop': '1',
      'X-Smartflow-Cache': 'skip',
      'X-Mcp-Github-Token': 's',
      'X-Forwarded-For': '1.2.3.4',
      'Anthropic-Version': '2026-10-21',
      'anthropic-beta': 'a,b',
      'X-Unknown': 'é',
      'User-Agent': 'test',
      'Accept-Encoding': 'br',
    };
    const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
    const exchange = exchangeOf({
      route: '/anthropic/v1/messages',
      headers: lower,
      body: '{"model":"claude-sonnet-5"}',
    });
    Object.assign(exchange.request, { rawHeaders: Object.entries(headers).flat() });
    read(exchange);
    const sent = upstreamHeaders(exchange, resolve(exchange, key));
    expect(sent).toEqual([
      'Anthropic-Version',
      '2026-10-21',
      'anthropic-beta',
      'a,b',
      'X-Unknown',
      'é',
      'User-Agent',
      'test',
      'x-api-key',
      'sk-upstream-secret',
      'accept-encoding',
      'identity',
    ]);
  });
});

describe('answerHeaders', () => {
  it('OBS-3: a header that comes twice shows no credential either', () => {
    const exchange = exchangeOf({ body: '{"model":"fast"}' });
    read(exchange);
    resolve(exchange, key);
    const upstream = { 'x-odd': ['a', 'used sk-upstream-secret'] as unknown as string, 'x-one': 'sk-upstream-secret' };
    const headers = answerHeaders(exchange, { draining: false } as DataPlane, upstream);
    expect(headers).toMatchObject({ 'x-odd': ['a', 'used [secret]'], 'x-one': '[secret]' });
  });
});

describe('unknownRoute', () => {
  it.each([
    ['GET', '/v1/chat/completions', 'method_not_allowed', 'POST'],
    ['DELETE', '/v1/models/x', 'method_not_allowed', 'GET'],
    ['POST', '/anthropic/v1/v1/messages', 'route_not_found', 'without /v1'],
    ['POST', '/anthropic/messages', 'route_not_found', '…/anthropic/v1'],
    ['POST', '/v1/nothing', 'route_not_found', 'no such route'],
  ])('%s %s', (method, path, code, hint) => {
    const error = unknownRoute(method, path, allowedMethods(path));
    expect(error.code).toBe(code);
    expect(error.message).toContain(hint);
  });

  it('finds endpoints by path', () => {
    expect(endpointsAt('/v1beta/models/a/b:generateContent').map((endpoint) => endpoint.method)).toEqual([
      'POST',
      'GET',
    ]);
    expect(endpointsAt('/v1/modelsx')).toEqual([]);
  });
});
