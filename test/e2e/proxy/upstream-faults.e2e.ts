import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import {
  bytes,
  close,
  cutAt,
  hang,
  html,
  redirect,
  reset,
  sse,
  type Behaviour,
} from '#test/fakes/upstream/behaviour.js';
import { recordings } from '#test/fakes/upstream/recordings.js';
import { eventually } from '../harness.js';
import { logOf, post, startProxied, type ProxiedProduct } from './proxied-product.js';

let running: ProxiedProduct;
beforeAll(async () => {
  running = await startProxied();
}, 120_000);
afterAll(() => running?.stop(), 60_000);
beforeEach(() => running.upstream.reset());

const chat = { model: 'gpt-5', messages: [{ role: 'user' as const, content: 'hi' }] };

describe('an upstream that fails before its answer', () => {
  it.each<[string, Behaviour, number, string]>([
    ['closes the connection', close, 502, 'upstream_unreachable'],
    ['resets the connection', reset, 502, 'upstream_unreachable'],
    ['never answers', hang, 504, 'upstream_timeout'],
    ['answers with a page of HTML', html(200), 502, 'upstream_invalid'],
    ['answers an error with a page of HTML', html(503), 503, 'upstream_invalid'],
    ['redirects', redirect('http://elsewhere.internal/v1'), 502, 'upstream_invalid'],
    ['speaks no HTTP', { kind: 'raw', bytes: ['SSH-2.0-OpenSSH\r\n'] }, 502, 'upstream_invalid'],
    [
      'cuts a JSON answer',
      bytes(['{"choices":['], { framing: 100, headers: { 'content-type': 'application/json' }, end: 'cut' }),
      502,
      'upstream_cut',
    ],
    [
      'stalls inside a JSON answer',
      bytes(['{"choices":['], { framing: 100, headers: { 'content-type': 'application/json' }, end: 'hang' }),
      504,
      'upstream_stalled',
    ],
  ])(
    'LLM-8: %s: a clear error in the dialect, one ledger row, nothing of the upstream shown',
    async (_name, behaviour, status, code) => {
      running.upstream.respond('next', behaviour);
      const answer = await post(running.product, '/v1/chat/completions', chat);
      const text = await answer.text();
      expect([answer.status, (JSON.parse(text) as { error: { code: string } }).error.code]).toEqual([status, code]);
      expect(text).not.toMatch(/127\.0\.0\.1|elsewhere|nginx|OpenSSH|ECONN|sk-/);
      const row = await logOf(running.product, answer.headers.get('x-request-id') ?? '');
      expect(row).toMatchObject({ status, error: code, provider: 'openai', costUsd: '0' });
    },
  );

  it('LLM-8: a provider that cannot be reached at all is 502 with a ledger row', async () => {
    const answer = await post(running.product, '/v1/chat/completions', { ...chat, model: 'gone/x' });
    expect(answer.status).toBe(502);
    expect(await answer.text()).not.toContain('127.0.0.1');
    expect(await logOf(running.product, answer.headers.get('x-request-id') ?? '')).toMatchObject({
      error: 'upstream_unreachable',
    });
  });
});

const whole = recordings.chatStream.frames.join('');
const half = recordings.chatStream.frames.slice(0, 3).join('');
const inUtf8 = Buffer.from('data: {"choices":[{"delta":{"content":"é"}}]}\n\n');

describe('a stream that breaks', () => {
  it.each<[string, Behaviour, string]>([
    ['is cut', sse([half], { end: 'cut' }), 'upstream_cut'],
    ['is reset', sse([half], { end: 'reset' }), 'upstream_cut'],
    ['ends cleanly but too early', sse([half]), 'upstream_cut'],
    ['stalls', sse([half], { end: 'hang' }), 'upstream_stalled'],
    ['is cut inside an event', sse([half, 'data: {"choices":[{"del'], { end: 'cut' }), 'upstream_cut'],
    [
      'is cut inside a UTF-8 sequence',
      sse([half, ...cutAt(inUtf8, inUtf8.indexOf('é') + 1).slice(0, 1)], { end: 'cut' }),
      'upstream_cut',
    ],
  ])(
    'LLM-8: %s: the OpenAI SDK throws our words after the content, and the row is marked',
    async (_name, behaviour, code) => {
      running.upstream.respond('next', behaviour);
      const client = new OpenAI({ baseURL: `${running.product.url}/v1`, apiKey: running.product.key, maxRetries: 0 });
      const { data: stream, response } = await client.chat.completions.create({ ...chat, stream: true }).withResponse();
      let seen = 0;
      const read = async (): Promise<void> => {
        for await (const chunk of stream) seen += chunk.choices.length;
      };
      await expect(read()).rejects.toThrow(/model provider (broke off|stopped sending)/);
      expect(seen).toBeGreaterThan(0);
      expect(await logOf(running.product, response.headers.get('x-request-id') ?? '')).toMatchObject({
        status: 200,
        error: code,
      });
    },
  );

  it('LLM-8: cut before its first event, it is a proper error instead', async () => {
    running.upstream.respond('next', sse(['data: {"cho'], { end: 'cut' }));
    const answer = await post(running.product, '/v1/chat/completions', { ...chat, stream: true });
    expect(answer.status).toBe(502);
  });

  it('LLM-8: Anthropic clients get an error event that their SDK throws', async () => {
    running.upstream.respond('next', sse([recordings.messagesStream.frames.slice(0, 4).join('')], { end: 'cut' }));
    const client = new Anthropic({
      baseURL: `${running.product.url}/anthropic`,
      apiKey: running.product.key,
      maxRetries: 0,
    });
    const stream = client.messages.stream({
      model: 'claude-sonnet-5',
      max_tokens: 100,
      messages: [{ role: 'user', content: 'hi' }],
    });
    await expect(stream.finalMessage()).rejects.toThrow('broke off');
  });

  it('LLM-8: Responses end with error and response.failed', async () => {
    running.upstream.respond('next', sse([recordings.responsesStream.frames.slice(0, 3).join('')], { end: 'cut' }));
    const text = await (
      await post(running.product, '/v1/responses', { model: 'gpt-5', stream: true, input: 'hi' })
    ).text();
    expect(text).toMatch(/event: error\ndata: \{.*\}\n\nevent: response\.failed\ndata: \{.*"status":"failed".*\}\n\n$/);
  });

  it('LLM-8: Gemini streams end with an error frame', async () => {
    running.upstream.respond('next', sse([recordings.generateStream.frames[0] as string], { end: 'cut' }));
    const text = await (
      await post(running.product, '/gemini/v1beta/models/gemini-3-pro-preview:streamGenerateContent?alt=sse', {
        contents: [],
      })
    ).text();
    expect(text).toMatch(/data: \{"error":\{"code":502,.*\}\}\n\n$/);
  });
});

describe('a caller who leaves', () => {
  it('LLM-8: cancels the upstream call at once, mid-stream and before the first byte, and leaves one row', async () => {
    for (const behaviour of [hang, sse([half], { end: 'hang' })]) {
      running.upstream.reset();
      running.upstream.respond('next', behaviour);
      const gone = new AbortController();
      const answer = fetch(`${running.product.url}/v1/chat/completions`, {
        method: 'POST',
        signal: gone.signal,
        headers: { authorization: `Bearer ${running.product.key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ ...chat, stream: true }),
      });
      const request = await running.upstream.waitForRequest(1);
      if (behaviour !== hang) await (await answer).body?.getReader().read();
      gone.abort();
      await answer.catch(() => null);
      expect(
        await Promise.race([request.closedByClient, new Promise((resolve) => setTimeout(resolve, 1000, 'still open'))]),
      ).toBe(true);
    }
    await eventually('two rows of callers that left', 5000, async () => {
      const answer = await fetch(`${running.product.url}/api/logs?status=499`, {
        headers: { authorization: `Bearer ${running.product.adminToken}` },
      });
      const { items } = (await answer.json()) as { items: { error: string }[] };
      return items.length === 2 && items.every((item) => item.error === 'client_gone') ? true : null;
    });
  });

  it('LLM-8: a slow reader holds the upstream back instead of filling our memory', async () => {
    const block = `data: {"choices":[{"delta":{"content":"${'x'.repeat(64 * 1024)}"}}]}\n\n`;
    let made = 0;
    running.upstream.respond('next', {
      kind: 'answer',
      headers: { 'content-type': 'text/event-stream' },
      body: function* () {
        for (let i = 0; i < 500; i++) {
          made++;
          yield block;
        }
        yield 'data: [DONE]\n\n';
      },
    });
    const answer = await post(running.product, '/v1/chat/completions', { ...chat, stream: true });
    const reader = answer.body!.getReader();
    await reader.read();
    // Held back means: what the upstream could send stands still, far from the end, while nobody reads.
    let last = -1;
    await eventually('the upstream to stand still', 10_000, async () => {
      const stands = made === last;
      last = made;
      await new Promise((resolve) => setTimeout(resolve, 300));
      return stands && made === last ? true : null;
    });
    expect(made).toBeLessThan(250);
    let received = 0;
    for (let part = await reader.read(); !part.done; part = await reader.read()) received += part.value.length;
    expect(made).toBe(500);
    expect(received).toBeGreaterThan(490 * 64 * 1024);
  }, 30_000);

  it('LLM-8: the whole stream arrives when nothing breaks', async () => {
    running.upstream.respond('next', sse([whole]));
    const answer = await post(running.product, '/v1/chat/completions', {
      ...chat,
      stream: true,
      stream_options: { include_usage: true },
    });
    expect(await answer.text()).toBe(whole);
  });
});
