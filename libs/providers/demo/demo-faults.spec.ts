import { connect } from 'node:net';
import { type DemoProvider, startDemoProvider } from './index.js';

let demo: DemoProvider;
beforeAll(async () => {
  demo = await startDemoProvider();
});
afterAll(() => demo.stop());

type Name = 'chat' | 'responses' | 'completions' | 'messages' | 'gemini';
const DIALECTS: readonly Name[] = ['chat', 'responses', 'completions', 'messages', 'gemini'];

/** A valid call of one operation; `more` changes its body. */
function post(name: Name, model: string, more: object = {}): Promise<Response> {
  const isStream = 'stream' in more && more.stream === true;
  const messages = [{ role: 'user', content: 'hello' }];
  const [path, body] = {
    chat: ['/v1/chat/completions', { model, messages }],
    responses: ['/v1/responses', { model, input: 'hello' }],
    completions: ['/v1/completions', { model, prompt: 'hello', max_tokens: 1000 }],
    messages: ['/v1/messages', { model, max_tokens: 1000, messages }],
    gemini: [
      `/v1beta/models/${encodeURIComponent(model)}:${isStream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
      { contents: [{ parts: [{ text: 'hello' }] }] },
    ],
  }[name] as [string, object];
  return send('POST', path, JSON.stringify({ ...body, ...more }));
}

function send(
  method: string,
  path: string,
  body?: string | Buffer,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(demo.baseUrl + path, {
    method,
    headers: { authorization: `Bearer ${demo.token}`, ...headers },
    ...(body !== undefined && { body }),
  });
}

/** What arrived before the answer ended or broke. */
async function readAll(response: Response): Promise<{ text: string; isBroken: boolean }> {
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk as Uint8Array, { stream: true });
    return { text, isBroken: false };
  } catch {
    return { text, isBroken: true };
  }
}

const ENDINGS: Record<Name, RegExp> = {
  chat: /\[DONE\]|"finish_reason":"/,
  responses: /response\.completed/,
  completions: /\[DONE\]|"finish_reason":"/,
  messages: /message_stop|message_delta/,
  gemini: /finishReason/,
};

describe('CFG-4: faults by model name', () => {
  it.each(DIALECTS)('CFG-4: error-<status> in the shape of %s', async (name) => {
    for (const status of [400, 401, 403, 404, 429, 500, 503, 529]) {
      const response = await post(name, `error-${status}`);
      expect(response.status).toBe(status);
      expect(response.headers.get('retry-after')).toBe(status === 429 ? '1' : null);
      const body = (await response.json()) as { type?: string; error: Record<string, unknown> };
      if (name === 'messages')
        expect(body).toMatchObject({
          type: 'error',
          error: { type: expect.any(String), message: expect.any(String) },
          request_id: expect.any(String),
        });
      else if (name === 'gemini')
        expect(body.error).toEqual({
          code: status,
          message: expect.any(String),
          status: expect.stringMatching(/^[A-Z_]+$/),
        });
      else expect(Object.keys(body.error).sort()).toEqual(['code', 'message', 'param', 'type']);
    }
  });
  it('CFG-4: error types are those of the real services', async () => {
    const typeOf = async (name: Name, status: number, field: string): Promise<unknown> =>
      ((await (await post(name, `error-${status}`)).json()) as { error: Record<string, unknown> }).error[field];
    expect(await typeOf('messages', 529, 'type')).toBe('overloaded_error');
    expect(await typeOf('messages', 429, 'type')).toBe('rate_limit_error');
    expect(await typeOf('messages', 500, 'type')).toBe('api_error');
    expect(await typeOf('chat', 429, 'code')).toBe('rate_limit_exceeded');
    expect(await typeOf('chat', 500, 'type')).toBe('server_error');
    expect(await typeOf('gemini', 429, 'status')).toBe('RESOURCE_EXHAUSTED');
    expect(await typeOf('gemini', 503, 'status')).toBe('UNAVAILABLE');
  });
  it.each(DIALECTS)(
    'CFG-4: cut breaks the connection of %s after three pieces; whole answers break half-way',
    async (name) => {
      const streamed = await readAll(await post(name, 'cut', { stream: true }));
      expect(streamed.isBroken).toBe(true);
      expect(streamed.text).toContain('oked at the key.');
      expect(streamed.text).not.toMatch(ENDINGS[name]);
      expect((await readAll(await post(name, 'cut'))).isBroken).toBe(true);
    },
  );
  it.each(DIALECTS)('CFG-4: cut-clean ends %s cleanly without its final frames', async (name) => {
    const streamed = await readAll(await post(name, 'cut-clean', { stream: true }));
    expect(streamed.isBroken).toBe(false);
    expect(streamed.text).toContain('oked at the key.');
    expect(streamed.text).not.toMatch(ENDINGS[name]);
    const whole = await readAll(await post(name, 'cut-clean'));
    expect(whole.isBroken).toBe(false);
    expect(() => JSON.parse(whole.text) as unknown).toThrow(SyntaxError);
  });
  it.each(DIALECTS)('CFG-4: stall stops %s in the middle and stays open', async (name) => {
    const response = await post(name, 'stall', { stream: true });
    const reading = readAll(response);
    const early = await Promise.race([reading, new Promise((resolve) => setTimeout(resolve, 60, 'open'))]);
    expect(early).toBe('open');
  });
  it('CFG-4: html answers 200 with a web page, reset breaks before the answer', async () => {
    const page = await post('chat', 'html');
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(await page.text()).toMatch(/^<!DOCTYPE html>/);
    await expect(post('chat', 'reset')).rejects.toThrow('fetch failed');
  });
  it('CFG-4: slow waits before the first byte, drip between pieces, streamed or not', async () => {
    const timed = async (model: string, more: object): Promise<number> => {
      const start = performance.now();
      await (await post('chat', model, more)).text();
      return performance.now() - start;
    };
    expect(await timed('slow-60', { stream: true })).toBeGreaterThanOrEqual(58);
    const messages = [{ role: 'user', content: 'four pieces here' }];
    expect(await timed('drip-20', { stream: true, messages })).toBeGreaterThanOrEqual(58);
    expect(await timed('drip-2', { messages })).toBeGreaterThanOrEqual(60);
  });
  it.each([
    'error-200',
    'error-600',
    'slow-999999',
    'story-0',
    'story-10001',
    'story-',
    'constructor-1',
    '__proto__',
    'toString',
    'gpt-4o',
    ' echo',
    'ECHO',
  ])('CFG-4: there is no model %p', async (model) => {
    for (const name of DIALECTS) expect((await post(name, model)).status).toBe(404);
  });
  it('CFG-4: stop() ends stalled streams too', async () => {
    const other = await startDemoProvider();
    const response = await fetch(`${other.baseUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${other.token}` },
      body: JSON.stringify({ model: 'stall', stream: true, messages: [{ role: 'user', content: 'x' }] }),
    });
    const reading = readAll(response);
    await other.stop();
    expect((await reading).isBroken).toBe(true);
    expect(other.token).not.toBe(demo.token);
  });
});

describe('CFG-4: bad input is refused in the shape of the dialect', () => {
  it.each([
    ['no token', {}],
    ['a wrong token', { authorization: 'Bearer nope' }],
    ['a token of the right length', { authorization: `Bearer ${'0'.repeat(64)}` }],
  ])('CFG-4: %s: 401', async (_name, headers) => {
    for (const path of ['/v1/models', '/v1/messages', '/v1beta/models/echo:generateContent', '/nowhere']) {
      expect((await fetch(demo.baseUrl + path, { headers })).status).toBe(401);
    }
  });
  it.each(['x-api-key', 'x-goog-api-key'])('CFG-4: the token is also taken from %s', async (header) => {
    expect((await fetch(`${demo.baseUrl}/v1/models`, { headers: { [header]: demo.token } })).status).toBe(200);
  });

  const messages = [{ role: 'user', content: 'x' }];
  const message = (value: unknown): object => ({ messages: [value] });
  it.each<[Name, object, string]>([
    ['chat', { messages: undefined }, "Missing required parameter: 'messages'."],
    ['chat', { messages: [] }, 'empty array'],
    ['chat', { messages: 'hi' }, 'messages'],
    ['chat', message(null), 'messages[0]'],
    ['chat', message({ content: 'x' }), 'messages[0].role'],
    ['chat', message({ role: 'robot', content: 'x' }), "Invalid value: 'robot'"],
    ['chat', message({ role: 'user', content: 7 }), 'messages[0].content'],
    ['chat', message({ role: 'user' }), 'messages[0].content'],
    ['chat', message({ role: 'user', content: [{ text: 'x' }] }), 'messages[0].content[0].type'],
    ['chat', { max_tokens: 0 }, 'max_tokens'],
    ['chat', { max_tokens: '5' }, 'max_tokens'],
    ['chat', { n: 129 }, "Invalid 'n'"],
    ['chat', { n: 1.5 }, "'n'"],
    ['chat', { stream: 'yes' }, 'stream'],
    ['chat', { stop: [1] }, 'stop'],
    ['chat', { tools: {} }, 'tools'],
    ['chat', { tools: [{ type: 'function' }] }, 'tools[0].function'],
    ['chat', { stream_options: { include_usage: true } }, 'stream_options'],
    ['chat', { response_format: { type: 'json_schema' } }, 'response_format'],
    ['chat', { model: 5 }, 'model'],
    ['chat', { model: '' }, 'model'],
    ['responses', { input: undefined, messages }, "Missing required parameter: 'input'."],
    ['responses', { input: [5] }, 'input[0]'],
    ['responses', { input: [{ role: 'user', content: null }] }, 'input[0].content'],
    ['completions', { prompt: [] }, 'prompt'],
    ['completions', { prompt: [{}] }, 'prompt'],
    ['completions', { prompt: Array.from({ length: 129 }, () => 'x') }, 'prompt'],
    ['messages', { max_tokens: undefined }, 'max_tokens: Field required'],
    ['messages', { messages: undefined }, 'messages: Field required'],
    ['messages', message({ role: 'tool', content: 'x' }), 'messages.0.role'],
    ['messages', message({ role: 'user', content: 5 }), 'messages.0.content'],
    ['messages', { tools: [{ input_schema: {} }] }, 'tools.0.name'],
    ['gemini', { contents: undefined }, 'contents'],
    ['gemini', { contents: [{ parts: 'x' }] }, 'parts'],
    ['gemini', { contents: [{ parts: [{ text: 5 }] }] }, 'contents[0].parts[0].text'],
    ['gemini', { generationConfig: { candidateCount: 9 } }, 'candidateCount'],
  ])('CFG-4: %s %j: 400 that names the fault', async (name, more, text) => {
    const response = await post(name, 'echo', more);
    expect(response.status).toBe(400);
    const body = (await response.json()) as { type?: string; error: { message: string; status?: string } };
    expect(body.error.message).toContain(text);
    if (name === 'messages') expect(body.type).toBe('error');
    if (name === 'gemini') expect(body.error.status).toBe('INVALID_ARGUMENT');
  });

  it.each(['', '{', 'null', '[]', '"x"', '{"model":"echo"'])('CFG-4: a body of %j: 400', async (body) => {
    for (const path of ['/v1/chat/completions', '/v1/messages', '/v1beta/models/echo:generateContent'])
      expect((await send('POST', path, body)).status).toBe(400);
  });
  it('CFG-4: paths and methods it does not know: 404 and 405', async () => {
    expect((await send('GET', '/')).status).toBe(404);
    expect((await send('POST', '/v1/chat', '{}')).status).toBe(404);
    expect((await send('POST', '/v1beta/models/echo:predict', '{}')).status).toBe(405);
    expect((await send('GET', '/v1/chat/completions')).status).toBe(405);
    expect((await send('DELETE', '/v1/models')).status).toBe(405);
    expect((await send('POST', '/v1beta/models/%E0%A4%A:generateContent', '{}')).status).toBe(400);
  });
  it('CFG-4: bodies beyond 32 MiB, compressed ones and monstrous JSON are refused, and the provider lives on', async () => {
    const socket = connect(Number(new URL(demo.baseUrl).port), '127.0.0.1');
    socket.write(
      `POST /v1/responses HTTP/1.1\r\nhost: h\r\nauthorization: Bearer ${demo.token}\r\ncontent-length: 33554433\r\n\r\n`,
    );
    const [head] = (await new Promise<Buffer[]>((resolve) => socket.once('data', (chunk) => resolve([chunk])))) as [
      Buffer,
    ];
    expect(String(head)).toMatch(/^HTTP\/1\.1 413 /);
    socket.destroy();
    expect((await send('POST', '/v1/responses', 'x', { 'content-encoding': 'gzip' })).status).toBe(415);
    const deep = `{"model":"tool","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f","parameters":${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}}}]}`;
    expect((await send('POST', '/v1/chat/completions', deep)).status).toBe(400);
    expect((await post('chat', 'echo')).status).toBe(200);
  });
  it('CFG-4: an echo never grows beyond what a model may put out', async () => {
    const response = await post('chat', 'echo', { messages: [{ role: 'user', content: 'x'.repeat(3_000_000) }], n: 4 });
    const { choices, usage } = (await response.json()) as {
      choices: { finish_reason: string; message: { content: string } }[];
      usage: object;
    };
    expect(choices.map(({ finish_reason, message: { content } }) => [finish_reason, content.length])).toEqual(
      Array.from({ length: 4 }, () => ['length', 128_000]),
    );
    expect(usage).toMatchObject({ prompt_tokens: 750_000, completion_tokens: 128_000 });
  });
});
