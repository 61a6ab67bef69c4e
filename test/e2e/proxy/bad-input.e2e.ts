import net from 'node:net';
import { recordings, replay } from '#test/fakes/upstream/recordings.js';
import { post, startProxied, type ProxiedProduct } from './proxied-product.js';

let running: ProxiedProduct;
beforeAll(async () => {
  running = await startProxied({
    limits: { body_bytes: 2_000_000 },
    keys: [
      {
        name: 'narrow',
        key: 'narrow-key-0123456789-abcdef',
        models: ['gpt-5-mini', 'claude-*'],
        routes: ['/v1/*', '/anthropic/*'],
      },
      { name: 'old', key: 'expired-key-0123456789-abcdef', expires_at: '2020-01-01T00:00:00Z' },
    ],
  });
}, 120_000);
afterAll(() => running?.stop(), 60_000);
beforeEach(() => running.upstream.reset());

/** The error's text and kind, read the way a client of the dialect does; fails when the body has another shape. */
const READERS = {
  openai: (body: unknown) => {
    const { error } = body as { error: { message: string; type: string; code: string | null; param: string | null } };
    expect(Object.keys(error).sort()).toEqual(['code', 'message', 'param', 'type']);
    return { message: error.message, kind: error.code };
  },
  anthropic: (body: unknown) => {
    const { type, error } = body as { type: string; error: { type: string; message: string } };
    expect(type).toBe('error');
    return { message: error.message, kind: error.type };
  },
  gemini: (body: unknown) => {
    const { error } = body as { error: { code: number; message: string; status: string } };
    return { message: error.message, kind: error.status, code: error.code };
  },
} as const;

const ROUTES = {
  openai: ['/v1/chat/completions', { model: 'gpt-5', messages: [] }],
  anthropic: ['/anthropic/v1/messages', { model: 'claude-sonnet-5', max_tokens: 5, messages: [] }],
  gemini: ['/gemini/v1beta/models/gemini-3-pro-preview:generateContent', { contents: [] }],
} as const;
type DialectName = keyof typeof ROUTES;
const DIALECTS = Object.keys(ROUTES) as DialectName[];

async function expectError(
  dialect: DialectName,
  answer: Response,
  status: number,
  kinds: Readonly<Record<DialectName, string>>,
): Promise<string> {
  const body = (await answer.json()) as unknown;
  expect({ status: answer.status, body }).toMatchObject({ status });
  const { message, kind } = READERS[dialect](body);
  expect(kind).toBe(kinds[dialect]);
  expect(answer.headers.get('x-request-id')).toMatch(/^req_/);
  if (status < 500) expect(answer.headers.get('x-should-retry')).toBe('false');
  expect(running.upstream.requests).toHaveLength(0);
  expect(JSON.stringify(body)).not.toMatch(/127\.0\.0\.1|at .*\.js|node_modules|sk-/);
  return message;
}

describe.each(DIALECTS)('bad input on %s', (dialect) => {
  const [path, body] = ROUTES[dialect];
  const send = (text: string, headers: Record<string, string> = {}): Promise<Response> =>
    post(running.product, path, text, headers);

  it('KEY-1, LLM-9: absent, garbled, unknown, conflicting and expired keys are 401 in the dialect, not to be retried', async () => {
    const kinds = { openai: 'invalid_api_key', anthropic: 'authentication_error', gemini: 'UNAUTHENTICATED' };
    const variants: Record<string, string>[] = [
      {},
      { authorization: 'Bearer nonsense' },
      { authorization: 'Bearer sk-sf-0000000000000000000000000000000000000000000000000000000000' },
      { authorization: 'Basic abc' },
      { authorization: `Bearer ${running.product.key}`, 'x-api-key': 'another' },
      { 'x-api-key': 'expired-key-0123456789-abcdef' },
      { authorization: `Bearer ${'x'.repeat(5000)}` },
      { 'x-api-key': running.product.key, 'x-goog-api-key': 'other' },
    ];
    for (const headers of variants) {
      const answer = await fetch(running.product.url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      });
      await expectError(dialect, answer, 401, kinds);
    }
  });

  it('LLM-9: malformed, deep, truncated and oversized bodies are clear errors', async () => {
    const caller = { openai: 'invalid_json', anthropic: 'invalid_request_error', gemini: 'INVALID_ARGUMENT' };
    for (const text of ['', '{', '[]', '"x"', 'null', '{"model":"gpt-5",}', '{"model":"gpt-5"}}', '\u0000'])
      await expectError(dialect, await send(text), 400, caller);
    await expectError(dialect, await send(`{"a":${'['.repeat(100_000)}`), 400, { ...caller, openai: 'json_too_deep' });
    await expectError(dialect, await send(`{"a":"${'x'.repeat(2_100_000)}"}`), 413, {
      openai: 'body_too_large',
      anthropic: 'request_too_large',
      gemini: 'INVALID_ARGUMENT',
    });
    await expectError(dialect, await send('{}', { 'content-encoding': 'gzip' }), 415, {
      ...caller,
      openai: 'unsupported_encoding',
    });
  });

  it('LLM-9: an unknown path, a wrong method and encoded path tricks are answered in the dialect', async () => {
    const base = path
      .split('/')
      .slice(0, dialect === 'openai' ? 2 : 3)
      .join('/');
    const headers = { authorization: `Bearer ${running.product.key}` };
    const missing = await fetch(`${running.product.url}${base}/nothing/here`, { headers });
    await expectError(dialect, missing, 404, {
      openai: 'route_not_found',
      anthropic: 'not_found_error',
      gemini: 'NOT_FOUND',
    });
    const wrong = await fetch(running.product.url + path, { method: 'DELETE', headers });
    expect(
      await expectError(dialect, wrong, 405, {
        openai: 'method_not_allowed',
        anthropic: 'invalid_request_error',
        gemini: 'INVALID_ARGUMENT',
      }),
    ).toContain('POST');
    for (const trick of [
      `${base}/%2e%2e/api/keys`,
      `${base}//models`,
      `${base}/models/..%2f..%2fapi`,
      `${base}/models/a%5cb`,
      `${base}/%zz`,
    ]) {
      const answer = await rawRequest(
        `POST ${trick} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${running.product.key}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
      );
      expect(answer.split('\r\n')[0]).toContain('400');
      READERS[dialect](JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as unknown);
    }
  });
});

describe('before the body', () => {
  const head = (authorization: string, length: number): string =>
    `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n${authorization}Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n{`;

  it('KEY-1: a large body is not waited for when its sender has no key', async () => {
    expect(await rawRequest(head('Authorization: Bearer nonsense\r\n', 1_900_000))).toMatch(
      /^HTTP\/1\.1 401 .*invalid_api_key/s,
    );
  });

  it('LLM-9: a body that says it is too large is refused at once', async () => {
    expect(await rawRequest(head(`Authorization: Bearer ${running.product.key}\r\n`, 2_100_000))).toMatch(
      /^HTTP\/1\.1 413 .*body_too_large/s,
    );
  });

  it('KEY-1: two different keys in the same header are refused too', async () => {
    const twice = `Authorization: Bearer ${running.product.key}\r\nAuthorization: Bearer other\r\nConnection: close\r\n`;
    expect(await rawRequest(head(twice, 1))).toMatch(/^HTTP\/1\.1 401 .*two different/s);
  });

  it('LLM-9: no HTTP, absolute form and escaped prefixes are 400 with an id', async () => {
    const auth = `Host: x\r\nAuthorization: Bearer ${running.product.key}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`;
    for (const text of [
      `POST http://evil/v1/chat/completions HTTP/1.1\r\n${auth}`,
      `POST /v1bet%61/models/demo/echo:generateContent HTTP/1.1\r\n${auth}`,
      `POST /v1/chat/%63ompletions HTTP/1.1\r\n${auth}`,
      'NOT HTTP\r\n\r\n',
    ]) {
      expect(await rawRequest(text)).toMatch(/^HTTP\/1\.1 400 .*x-request-id: req_/is);
    }
  });

  it('LLM-9: a malformed content type is 415, a wrong method names the right one', async () => {
    const odd = await post(running.product, '/v1/chat/completions', '{}', { 'content-type': 'application' });
    expect([odd.status, ((await odd.json()) as { error: { code: string } }).error.code]).toEqual([
      415,
      'unsupported_media_type',
    ]);
    const wrong = await fetch(`${running.product.url}/v1/chat/completions`, { method: 'PUT' });
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST']);
  });

  it('LLM-4: a key in the query is found and taken out however its name is written', async () => {
    running.upstream.respond('next', replay(recordings.generate));
    const answer = await fetch(
      `${running.product.url}/v1beta/models/gemini-3-pro-preview:generateContent?k%65y=${running.product.key}&x=1`,
      { method: 'POST', body: '{}' },
    );
    expect(answer.status).toBe(200);
    expect(running.upstream.requests.at(-1)?.target).toBe('/v1beta/models/gemini-3-pro-preview:generateContent?x=1');
  });
});

/** Exactly these bytes on a connection; the whole answer as text. */
function rawRequest(text: string): Promise<string> {
  const { hostname, port } = new URL(running.product.url);
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), hostname, () => socket.write(text));
    let answer = '';
    socket.setTimeout(3000, () => socket.destroy(new Error('no answer')));
    socket.on('data', (part: Buffer) => (answer += part.toString()));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}

describe('models', () => {
  it('LLM-9: a missing model or one of a wrong type is named as the field at fault', async () => {
    for (const model of [undefined, '', 5, null, ['gpt-5'], {}]) {
      const answer = await post(running.product, '/v1/chat/completions', { model, messages: [] });
      expect(answer.status).toBe(400);
      expect(((await answer.json()) as { error: { param: string } }).error.param).toBe('model');
    }
    const twice = await post(
      running.product,
      '/v1/chat/completions',
      '{"model":"gpt-5","model":"gpt-5-mini","messages":[]}',
    );
    expect(twice.status).toBe(400);
    const stream = await post(running.product, '/v1/chat/completions', { model: 'gpt-5', stream: 'yes', messages: [] });
    expect(((await stream.json()) as { error: { param: string } }).error.param).toBe('stream');
    expect(running.upstream.requests).toHaveLength(0);
  });

  it('LLM-9: an unknown model and one the key may not use get the same answer: 404 on OpenAI routes, 403 on the others', async () => {
    const narrow = { authorization: 'Bearer narrow-key-0123456789-abcdef' };
    for (const model of ['no-such-model', 'gpt-5', 'openai/gpt-5', 'local/x']) {
      const answer = await post(running.product, '/v1/chat/completions', { model, messages: [] }, narrow);
      expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([
        404,
        'model_not_found',
      ]);
    }
    const anthropic = await post(
      running.product,
      '/anthropic/v1/messages',
      { model: 'demo/echo', messages: [] },
      narrow,
    );
    expect([anthropic.status, ((await anthropic.json()) as { error: { type: string } }).error.type]).toEqual([
      403,
      'permission_error',
    ]);
    expect(running.upstream.requests).toHaveLength(0);
    running.upstream.respond('next', replay(recordings.chat));
    expect(
      (await post(running.product, '/v1/chat/completions', { model: 'openai/gpt-5-mini', messages: [] }, narrow))
        .status,
    ).toBe(200);
  });

  it('KEY-1: a key is held to its routes', async () => {
    const answer = await post(
      running.product,
      '/gemini/v1beta/models/gemini-3-pro-preview:generateContent',
      { contents: [] },
      { authorization: 'Bearer narrow-key-0123456789-abcdef' },
    );
    expect([answer.status, ((await answer.json()) as { error: { status: string } }).error.status]).toEqual([
      403,
      'PERMISSION_DENIED',
    ]);
  });

  it('LLM-2: base URLs with one /v1 too many or too few are told so', async () => {
    const double = await post(running.product, '/anthropic/v1/v1/messages', {});
    expect(((await double.json()) as { error: { message: string } }).error.message).toContain('without /v1');
    const none = await post(running.product, '/anthropic/messages', {});
    expect(((await none.json()) as { error: { message: string } }).error.message).toContain('/anthropic/v1');
  });

  it('LLM-2: HEAD /anthropic/api/hello needs no key', async () => {
    const answer = await fetch(`${running.product.url}/anthropic/api/hello`, { method: 'HEAD' });
    expect(answer.status).toBe(200);
  });

  it('LLM-1: the listing shows what the key may use, in the shape of each dialect', async () => {
    const listed = async (path: string, key: string): Promise<unknown> =>
      (await fetch(running.product.url + path, { headers: { authorization: `Bearer ${key}` } })).json();
    const mine = (await listed('/v1/models', 'narrow-key-0123456789-abcdef')) as {
      object: string;
      data: { id: string; object: string }[];
    };
    expect(mine.object).toBe('list');
    // What speaks another dialect is reached by translation.
    const ids = mine.data.map((model) => model.id);
    expect(ids).toEqual(expect.arrayContaining(['gpt-5-mini', 'claude-sonnet-5']));
    expect(ids.filter((id) => !/^(gpt-5-mini$|claude-)/.test(id))).toEqual([]);
    const all = (await listed('/v1/models', running.product.key)) as { data: { id: string }[] };
    expect(all.data.map((model) => model.id)).toEqual(expect.arrayContaining(['fast', 'demo/echo', 'gpt-5']));
    const one = (await listed('/v1/models/demo/echo', running.product.key)) as { id: string };
    expect(one.id).toBe('demo/echo');
    const encoded = (await listed('/anthropic/v1/models/demo%2Fecho', running.product.key)) as { id: string };
    expect(encoded.id).toBe('demo/echo');
    const gemini = (await listed('/gemini/v1beta/models', running.product.key)) as { models: { name: string }[] };
    expect(gemini.models.map((model) => model.name)).toContain('models/demo/echo');
  });
});
