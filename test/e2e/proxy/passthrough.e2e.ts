import http from 'node:http';
import { everyBytes, json, sse } from '#test/fakes/upstream/behaviour.js';
import type { RecordedRequest } from '#test/fakes/upstream/recorded-request.js';
import { recordings, replay } from '#test/fakes/upstream/recordings.js';
import { logOf, post, startProxied, UPSTREAM_SECRET, type ProxiedProduct } from './proxied-product.js';

let running: ProxiedProduct;
beforeAll(async () => {
  running = await startProxied();
}, 120_000);
afterAll(() => running?.stop(), 60_000);
beforeEach(() => running.upstream.reset());

interface RawAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A request whose headers and bytes are exactly the given ones. */
function raw(path: string, headers: readonly string[], body: Buffer): Promise<RawAnswer> {
  const { hostname, port } = new URL(running.product.url);
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        hostname,
        port,
        path,
        method: 'POST',
        headers: [...headers, 'Host', 'gateway', 'Content-Length', String(body.length)],
      },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(parts) }),
        );
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

const lastRequest = (): RecordedRequest => running.upstream.requests.at(-1) as RecordedRequest;
const namesOf = (request: RecordedRequest): string[] => request.rawHeaders.map(([name]) => name.toLowerCase()).sort();

describe('same-dialect calls', () => {
  it('LLM-8: a body with unknown fields, odd spacing, number forms and escapes reaches the upstream byte for byte, and so does its answer the caller', async () => {
    const body = Buffer.from(
      '{ "model":"gpt-5",\t"temperature":1.50e0, "x_unknown": {"z":[1,2,{"a":null}],"é":"\\u00fc🙂"},\n"messages":[{"role":"user","content":"hé \\"model\\": \\"no\\""}] }',
    );
    const answer =
      '{"id":"x",  "unknown_field":{"n":1.0},"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n';
    running.upstream.respond('next', {
      kind: 'answer',
      body: [answer],
      framing: Buffer.byteLength(answer),
      headers: { 'content-type': 'application/json', 'x-upstream-extra': 'kept' },
    });
    const got = await raw(
      '/v1/chat/completions?beta=1&x=%20y',
      [
        'Authorization',
        `Bearer ${running.product.key}`,
        'Content-Type',
        'application/json; charset=utf-8',
        'X-Unknown-Thing',
        'A, b;c="d"',
        'User-Agent',
        'Test/1.0 (x)',
      ],
      body,
    );
    expect(got.status).toBe(200);
    expect(got.body.toString()).toBe(answer);
    expect(got.headers['x-upstream-extra']).toBe('kept');
    const sent = lastRequest();
    expect(sent.body.equals(body)).toBe(true);
    expect(sent.target).toBe('/v1/chat/completions?beta=1&x=%20y');
    expect(sent.header('x-unknown-thing')).toBe('A, b;c="d"');
    expect(sent.header('user-agent')).toBe('Test/1.0 (x)');
    expect(sent.header('content-type')).toBe('application/json; charset=utf-8');
    expect(sent.header('authorization')).toBe(`Bearer ${UPSTREAM_SECRET}`);
    expect(namesOf(sent)).toEqual([
      'accept-encoding',
      'authorization',
      'connection',
      'content-length',
      'content-type',
      'host',
      'user-agent',
      'x-unknown-thing',
    ]);
  });

  it('LLM-2: every anthropic-* header, the query and unknown body fields pass; the virtual key does not', async () => {
    const body = Buffer.from(
      '{"model":"claude-sonnet-5","max_tokens":10,"context_management":{"edits":[]},"messages":[{"role":"system","content":"x"}],"future":true}',
    );
    running.upstream.respond('next', replay(recordings.messages));
    const got = await raw(
      '/anthropic/v1/messages?beta=true',
      [
        'X-Api-Key',
        running.product.key,
        'Anthropic-Version',
        '2026-10-21',
        'anthropic-beta',
        'a-1,b-2',
        'Anthropic-Dangerous-Direct-Browser-Access',
        'true',
        'anthropic-future',
        'yes',
        'Content-Type',
        'application/json',
      ],
      body,
    );
    expect(got.status).toBe(200);
    const sent = lastRequest();
    expect(sent.body.equals(body)).toBe(true);
    expect(sent.target).toBe('/v1/messages?beta=true');
    expect(sent.header('anthropic-version')).toBe('2026-10-21');
    expect(sent.header('anthropic-beta')).toBe('a-1,b-2');
    expect(sent.header('anthropic-future')).toBe('yes');
    expect(sent.header('x-api-key')).toBe(UPSTREAM_SECRET);
    expect(JSON.stringify(sent.rawHeaders)).not.toContain(running.product.key);
  });

  it.each([
    [
      'chatStream',
      '/v1/chat/completions',
      { model: 'gpt-5', stream: true, stream_options: { include_usage: true }, messages: [] },
    ],
    ['responsesStream', '/v1/responses', { model: 'gpt-5', stream: true, input: 'x' }],
    ['messagesStream', '/anthropic/v1/messages', { model: 'claude-sonnet-5', stream: true, messages: [] }],
    ['generateStream', '/gemini/v1beta/models/gemini-3-pro-preview:streamGenerateContent?alt=sse', { contents: [] }],
  ] as const)(
    'LLM-8: the stream %s reaches the caller byte for byte, however it is cut on the way',
    async (name, path, body) => {
      const recording = recordings[name as keyof typeof recordings];
      const whole = Buffer.from(recording.frames.join(''));
      for (const size of [1, 7, 1000]) {
        running.upstream.respond('next', sse(everyBytes(whole, size)));
        const answer = await post(running.product, path, body);
        expect(answer.status).toBe(200);
        expect(Buffer.from(await answer.arrayBuffer()).toString()).toBe(whole.toString());
        const row = await logOf(running.product, answer.headers.get('x-request-id') ?? '');
        expect(row.inputTokens).toBe(recording.usage?.inputTokens);
        expect(row.outputTokens).toBe(recording.usage?.outputTokens);
      }
    },
  );

  it('LLM-8: asks a chat stream for its usage and hides that chunk from a caller who did not ask', async () => {
    const frames = [
      'data: {"id":"1","choices":[{"delta":{"content":"hi"}}],"usage":null}\n\n',
      'data: {"id":"1","choices":[{"delta":{},"finish_reason":"stop"}],"usage":null}\n\n',
      'data: {"id":"1","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":22}}\n\n',
      'data: [DONE]\n\n',
    ];
    running.upstream.respond('next', sse(frames));
    const answer = await post(running.product, '/v1/chat/completions', { model: 'gpt-5', stream: true, messages: [] });
    expect(await answer.text()).toBe(frames[0]! + frames[1]! + frames[3]!);
    expect((lastRequest().json() as { stream_options: unknown }).stream_options).toEqual({ include_usage: true });
    const row = await logOf(running.product, answer.headers.get('x-request-id') ?? '');
    expect([row.inputTokens, row.outputTokens]).toEqual([11, 22]);
  });

  it('LLM-8: each event of a slow stream is passed on at once', async () => {
    running.upstream.respond(
      'next',
      sse(['data: {"choices":[{"delta":{"content":"1"}}]}\n\n', 'data: [DONE]\n\n'], { gapMs: 800 }),
    );
    const started = performance.now();
    const answer = await post(running.product, '/v1/chat/completions', { model: 'gpt-5', stream: true, messages: [] });
    const reader = answer.body!.getReader();
    await reader.read();
    expect(performance.now() - started).toBeLessThan(600);
    while (!(await reader.read()).done);
  });

  it('LLM-5, LLM-9: aliases and provider/model are replaced in place, and the answer says who served', async () => {
    for (const [model, served, provider] of [
      ['fast', 'gpt-5-mini', 'openai'],
      ['local/org/llama', 'org/llama', 'local'],
      ['azure/deploy-1', 'deploy-1', 'azure'],
    ] as const) {
      running.upstream.respond('next', replay(recordings.chat));
      const answer = await post(running.product, '/v1/chat/completions', `{"model":"${model}", "messages":[]}`);
      expect(answer.headers.get('x-smartflow-model')).toBe(served);
      expect(answer.headers.get('x-smartflow-provider')).toBe(provider);
      expect(lastRequest().body.toString()).toBe(`{"model":"${served}", "messages":[]}`);
    }
    expect(lastRequest().target).toBe('/openai/deployments/deploy-1/chat/completions?api-version=2025-01-01');
    expect(lastRequest().header('api-key')).toBe(UPSTREAM_SECRET);
  });

  it('LLM-6: [1m] is stripped and its beta added only where the model needs it', async () => {
    for (const [model, beta] of [
      ['claude-sonnet-4-5[1m]', 'context-1m-2025-08-07'],
      ['claude-opus-5[1m]', undefined],
    ] as const) {
      running.upstream.respond('next', replay(recordings.messages));
      await post(running.product, '/anthropic/v1/messages', { model, max_tokens: 5, messages: [] });
      expect((lastRequest().json() as { model: string }).model).toBe(model.slice(0, -4));
      expect(lastRequest().header('anthropic-beta')).toBe(beta);
    }
    const listed = await fetch(`${running.product.url}/anthropic/v1/models?limit=1000`, {
      headers: { 'x-api-key': running.product.key },
    });
    const ids = ((await listed.json()) as { data: { id: string }[] }).data.map((model) => model.id);
    expect(ids).toContain('claude-opus-5');
    expect(ids).toContain('claude-opus-5[1m]');
    expect(ids).not.toContain('claude-haiku-4-5[1m]');
  });

  it('LLM-3: Cursor is served with and without /v1, and its Responses-shaped chat bodies are answered as chat', async () => {
    for (const path of ['/cursor/chat/completions', '/cursor/v1/chat/completions']) {
      running.upstream.respond('next', replay(recordings.chat));
      const answer = await post(running.product, path, {
        model: 'gpt-5',
        input: [{ role: 'user', content: 'hi' }],
        instructions: 'be kind',
      });
      expect(answer.status).toBe(200);
      expect(lastRequest().target).toBe('/v1/chat/completions');
      expect((lastRequest().json() as { messages: unknown }).messages).toEqual([
        { role: 'system', content: 'be kind' },
        { role: 'user', content: 'hi' },
      ]);
    }
  });

  it('LLM-4: Gemini takes the key in its header or the query, which neither goes on nor reaches a log', async () => {
    const { url, key } = running.product;
    const before = running.product.logs().length;
    for (const [query, headers] of [
      [`?key=${key}&x=1`, {}],
      ['?x=1', { 'x-goog-api-key': key }],
    ] as const) {
      for (const base of ['/gemini/v1beta', '/gemini/v1', '/v1beta']) {
        running.upstream.respond('next', replay(recordings.generate));
        const answer = await fetch(`${url}${base}/models/gemini-3-pro-preview:generateContent${query}`, {
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json' },
          body: '{"contents":[]}',
        });
        expect(answer.status).toBe(200);
        expect(lastRequest().target).toBe('/v1beta/models/gemini-3-pro-preview:generateContent?x=1');
        expect(lastRequest().header('x-goog-api-key')).toBe(UPSTREAM_SECRET);
      }
    }
    expect(running.product.logs().slice(before)).not.toContain(key.slice(10));
  });

  it('LLM-2: upstream errors pass with status and body unchanged, but never with the credential they quote', async () => {
    const error = {
      type: 'error',
      error: { type: 'invalid_request_error', message: 'prompt is too long: 300000 tokens > 200000 maximum' },
      request_id: 'req_up',
    };
    running.upstream.respond(
      'next',
      json(error, { status: 400, headers: { 'request-id': 'req_up', 'anthropic-organization-id': 'org-secret' } }),
    );
    const answer = await post(running.product, '/anthropic/v1/messages', { model: 'claude-sonnet-5', messages: [] });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toBe(JSON.stringify(error));
    expect(answer.headers.get('anthropic-organization-id')).toBeNull();
    running.upstream.respond(
      'next',
      json({ error: { message: `Incorrect API key provided: ${UPSTREAM_SECRET}` } }, { status: 401 }),
    );
    const refused = await post(running.product, '/v1/chat/completions', { model: 'gpt-5', messages: [] });
    expect(refused.status).toBe(401);
    expect(await refused.text()).toBe('{"error":{"message":"Incorrect API key provided: [secret]"}}');
  });

  it('KEY-5, LLM-9: a whole answer carries its exact cost, and the log row the same', async () => {
    running.upstream.respond(
      'next',
      json({ choices: [], usage: { prompt_tokens: 1_000_000, completion_tokens: 1_000_000 } }),
    );
    const answer = await post(running.product, '/v1/chat/completions', { model: 'gpt-5-mini', messages: [] });
    expect(answer.headers.get('x-smartflow-cost-usd')).toBe('2.25');
    const row = await logOf(running.product, answer.headers.get('x-request-id') ?? '');
    expect(row).toMatchObject({
      status: 200,
      provider: 'openai',
      model: 'gpt-5-mini',
      inputTokens: 1_000_000,
      outputTokens: 1_000_000,
      costUsd: '2.25',
    });
  });
});
