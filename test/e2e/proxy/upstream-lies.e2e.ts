import { bytes, gzipped, json, sse, type Behaviour } from '#test/fakes/upstream/behaviour.js';
import { recordings, replay } from '#test/fakes/upstream/recordings.js';
import { eventually } from '../harness.js';
import { logOf, post, startProxied, UPSTREAM_SECRET, type ProxiedProduct } from './proxied-product.js';

let running: ProxiedProduct;
beforeAll(async () => {
  running = await startProxied();
}, 120_000);
afterAll(() => running?.stop(), 60_000);
beforeEach(() => running.upstream.reset());

const chat = { model: 'gpt-5', messages: [{ role: 'user', content: 'hi' }] };
const idOf = (answer: Response): string => answer.headers.get('x-request-id') ?? '';
const crlf = (frames: readonly string[]): string => frames.join('').replaceAll('\n', '\r\n');

describe('streams of other servers', () => {
  it('LLM-8: CRLF line ends: every event arrives, the hidden usage chunk is the only one missing', async () => {
    const frames = [
      'data: {"choices":[{"delta":{"content":"A"}}]}\n\n',
      'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
      'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n',
      'data: [DONE]\n\n',
    ];
    for (const pieces of [[crlf(frames)], frames.map((frame) => crlf([frame]))]) {
      running.upstream.respond('next', sse(pieces, { gapMs: 20 }));
      const answer = await post(running.product, '/v1/chat/completions', { ...chat, stream: true });
      expect(await answer.text()).toBe(crlf([frames[0]!, frames[1]!, frames[3]!]));
      expect(await logOf(running.product, idOf(answer))).toMatchObject({
        inputTokens: 5,
        outputTokens: 2,
        error: null,
      });
    }
  });

  it('KEY-5: Anthropic usage is read behind comments and pings', async () => {
    running.upstream.respond(
      'next',
      sse([': warming up\n\n', 'event: ping\ndata: {"type":"ping"}\n\n', ...recordings.messagesStream.frames], {
        gapMs: 5,
      }),
    );
    const answer = await post(running.product, '/anthropic/v1/messages', {
      model: 'claude-sonnet-5',
      stream: true,
      messages: [],
    });
    await answer.text();
    expect((await logOf(running.product, idOf(answer))).inputTokens).toBe(recordings.messagesStream.usage?.inputTokens);
  });

  it('KEY-5: an object named usage at another depth is not the usage', async () => {
    const tool = { usage: { cpu: 5 } };
    running.upstream.respond(
      'next',
      json({ usage: { prompt_tokens: 1000, completion_tokens: 500 }, choices: [{ message: { tool }, schema: tool }] }),
    );
    const plain = await post(running.product, '/v1/chat/completions', chat);
    expect(await logOf(running.product, idOf(plain))).toMatchObject({ inputTokens: 1000, outputTokens: 500 });
    const completed = {
      type: 'response.completed',
      response: { usage: { input_tokens: 7, output_tokens: 3 }, tools: [{ parameters: tool }] },
    };
    running.upstream.respond('next', sse([`event: response.completed\ndata: ${JSON.stringify(completed)}\n\n`]));
    const stream = await post(running.product, '/v1/responses', { model: 'gpt-5', stream: true, input: 'x' });
    await stream.text();
    expect(await logOf(running.product, idOf(stream))).toMatchObject({ inputTokens: 7, outputTokens: 3 });
  });

  it('LLM-8: with several choices the stream is over when the last one has its reason', async () => {
    running.upstream.respond(
      'next',
      sse([
        'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
        'data: {"choices":[{"index":1,"delta":{"content":"x"},"finish_reason":null}]}\n\n',
      ]),
    );
    const answer = await post(running.product, '/v1/chat/completions', { ...chat, n: 2, stream: true });
    expect(await answer.text()).toMatch(/data: \{"error":.*\}\n\n$/);
  });
});

describe('answers that are not what they say', () => {
  it.each<[string, Behaviour, number, string]>([
    ['HTML without a content type', bytes(['<html>internal.host</html>'], { framing: 26 }), 502, 'upstream_invalid'],
    [
      'HTML labelled as JSON',
      bytes(['<html>internal.host</html>'], {
        framing: 26,
        status: 503,
        headers: { 'content-type': 'application/json', 'retry-after': '7' },
      }),
      503,
      'upstream_invalid',
    ],
    [
      'nothing at all',
      bytes([], { framing: 0, headers: { 'content-type': 'application/json' } }),
      502,
      'upstream_invalid',
    ],
    [
      'gzip, though none was asked for',
      gzipped(json({ choices: [], usage: { prompt_tokens: 1 } })),
      502,
      'upstream_invalid',
    ],
    ['a gzipped stream', gzipped(replay(recordings.chatStream)), 502, 'upstream_invalid'],
  ])('LLM-8: %s is a clear error, with the status an error had', async (_name, behaviour, status, code) => {
    running.upstream.respond('next', behaviour);
    const answer = await post(running.product, '/v1/chat/completions', { ...chat, stream: true });
    const text = await answer.text();
    expect([answer.status, (JSON.parse(text) as { error: { code: string } }).error.code]).toEqual([status, code]);
    expect(text).not.toContain('internal.host');
    expect(await logOf(running.product, idOf(answer))).toMatchObject({ status, error: code });
  });

  it('RTE-2: an error in plain text keeps its status and retry-after', async () => {
    running.upstream.respond(
      'next',
      bytes(['slow down'], { framing: 9, status: 429, headers: { 'content-type': 'text/plain', 'retry-after': '7' } }),
    );
    const answer = await post(running.product, '/v1/chat/completions', chat);
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '7']);
  });

  it('LLM-8: media types are read without regard to case', async () => {
    running.upstream.respond(
      'next',
      json({ choices: [] }, { headers: { 'content-type': 'Application/JSON; Charset=UTF-8' } }),
    );
    expect((await post(running.product, '/v1/chat/completions', chat)).status).toBe(200);
  });

  it('IAM-6: the credential is taken out wherever an upstream quotes it, and headers that name its host do not pass', async () => {
    const quote = `bad key ${UPSTREAM_SECRET}`;
    const headers = {
      'content-type': 'application/json',
      'x-debug': quote,
      link: '<http://internal.host>',
      'set-cookie': 'a=b',
      server: 'internal',
      via: '1.1 internal',
      'openai-organization': 'org-internal',
    };
    for (const behaviour of [
      json({ error: { message: quote } }, { status: 401, headers }),
      json({ error: quote }, { headers }),
      bytes([`{"error":"${'x'.repeat(1_200_000)}`, `${quote}"}`], { status: 401, headers }),
      sse([`data: {"error":{"message":"${quote}"}}\n\n`], { headers: { 'x-debug': quote } }),
    ]) {
      running.upstream.respond('next', behaviour);
      const answer = await post(running.product, '/v1/chat/completions', { ...chat, stream: true });
      expect(`${JSON.stringify([...answer.headers])} ${await answer.text()}`).not.toMatch(/sk-upstream|internal/);
    }
  });

  it('LLM-8: a large answer without a stated length arrives whole', async () => {
    const values = Array.from({ length: 400_000 }, (_, i) => i / 7);
    const body = JSON.stringify({ data: values, usage: { prompt_tokens: 8, total_tokens: 8 } });
    running.upstream.respond(
      'next',
      bytes([body.slice(0, 900_000), body.slice(900_000)], { headers: { 'content-type': 'application/json' } }),
    );
    const answer = await post(running.product, '/v1/embeddings', { model: 'text-embedding-3-small', input: 'x' });
    expect(await answer.text()).toBe(body);
  });

  it('LLM-8: a call ends at its total time, even while bytes keep coming', async () => {
    running.upstream.respond(
      'next',
      sse(
        Array.from({ length: 200 }, () => ': still here\n\n'),
        { gapMs: 100 },
      ),
    );
    const started = performance.now();
    const answer = await post(running.product, '/v1/chat/completions', { ...chat, stream: true });
    expect(await answer.text()).toMatch(/did not answer in time/);
    expect(performance.now() - started).toBeLessThan(11_000);
  }, 30_000);
});

describe('names and traces', () => {
  it('LLM-9: a model name with half a character is an unknown model, and nothing stays behind', async () => {
    for (const model of ['demo/\\ud800', 'local/\\ud800', 'local/a\\u0007']) {
      const answer = await post(running.product, '/v1/chat/completions', `{"model":"${model}","messages":[]}`);
      expect(answer.status).toBe(404);
    }
    const metrics = await (await fetch(`${running.product.url}/metrics`)).text();
    expect(metrics).toMatch(/smartflow_calls_active 0/);
  });

  it('OBS-3: the row knows the trace the caller was in, and whether the usage is all of it', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    running.upstream.respond('next', sse([recordings.messagesStream.frames[0] as string], { end: 'cut' }));
    const answer = await post(
      running.product,
      '/anthropic/v1/messages',
      { model: 'claude-sonnet-5', stream: true, messages: [] },
      { traceparent: `00-${traceId}-b7ad6b7169203331-01` },
    );
    await answer.text();
    const row = (await logOf(running.product, idOf(answer))) as unknown as { traceId: string; usageSource: string };
    expect([row.traceId, row.usageSource]).toEqual([traceId, 'partial']);
  });

  it('LLM-8: a caller that closes right behind the last event has had a complete answer', async () => {
    running.upstream.respond('next', sse(recordings.chatStream.frames, { end: 'hang' }));
    const gone = new AbortController();
    const answer = await fetch(`${running.product.url}/v1/chat/completions`, {
      method: 'POST',
      signal: gone.signal,
      headers: { authorization: `Bearer ${running.product.key}` },
      body: JSON.stringify({ ...chat, stream: true }),
    });
    const reader = answer.body!.getReader();
    for (let text = ''; !text.includes('[DONE]');) text += Buffer.from((await reader.read()).value ?? []).toString();
    gone.abort();
    const row = await eventually('the row', 5000, () => logOf(running.product, idOf(answer)));
    expect(row).toMatchObject({ status: 200, error: null, inputTokens: recordings.chatStream.usage?.inputTokens });
  });

  it('performance: a quiet gateway reuses its upstream connections', async () => {
    running.upstream.respond({ path: '/v1/chat/completions' }, replay(recordings.chat));
    await post(running.product, '/v1/chat/completions', chat);
    const before = running.upstream.connections.total;
    for (let i = 0; i < 30; i++) await (await post(running.product, '/v1/chat/completions', chat)).text();
    expect(running.upstream.connections.total - before).toBeLessThanOrEqual(2);
  });
});
