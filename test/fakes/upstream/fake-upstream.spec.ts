import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { gunzipSync } from 'node:zlib';
import {
  bytes,
  close,
  cutAt,
  drip,
  everyBytes,
  filler,
  gzipped,
  hang,
  html,
  json,
  redirect,
  reset,
  sse,
} from './behaviour.js';
import { type FakeUpstream, startFakeUpstream } from './fake-upstream.js';
import { answerWithRecording, recordings, replay } from './recordings.js';

let fake: FakeUpstream;
beforeEach(async () => {
  fake = await startFakeUpstream();
});
afterEach(() => fake.stop());

interface Seen {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly chunks: readonly Buffer[];
  readonly text: string;
  /** How the answer ended, as the client saw it. */
  readonly end: 'clean' | 'broken';
}

/** One call with every chunk as the HTTP parser saw it. Rejects when no status line came. */
function call(
  target = '/',
  body: string | Buffer = '',
  headers: Record<string, string> = {},
  agent: Agent | false = false,
): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${fake.url}${target}`, { method: 'POST', agent, headers });
    request.once('error', reject);
    request.once('response', (response) => {
      request.removeListener('error', reject).on('error', () => undefined);
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', () => undefined);
      response.once('close', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          chunks,
          text,
          end: response.complete ? 'clean' : 'broken',
        });
      });
    });
    request.end(body);
  });
}

describe('record', () => {
  it('keeps method, target, headers and body byte for byte', async () => {
    const body = Buffer.from([0x7b, 0x00, 0xff, 0xc3, 0x28, 0x0d, 0x0a]);
    const client = connect(fake.port, '127.0.0.1');
    client.write(
      'PUT /v1/a%2Fb?q=%20&&x HTTP/1.1\r\nhOsT: h\r\nX-Twice: 1\r\nx-twice:  2\r\nContent-Length: 7\r\n\r\n',
    );
    client.write(body);
    const request = await fake.waitForRequest(1);
    client.destroy();
    expect(request.method).toBe('PUT');
    expect(request.target).toBe('/v1/a%2Fb?q=%20&&x');
    expect(request.rawHeaders).toEqual([
      ['hOsT', 'h'],
      ['X-Twice', '1'],
      ['x-twice', '2'],
      ['Content-Length', '7'],
    ]);
    expect(request.header('X-TWICE')).toBe('1, 2');
    expect(request.header('absent')).toBeUndefined();
    expect(request.body.equals(body)).toBe(true);
    expect(() => request.json()).toThrow(SyntaxError);
  });
  it('tells reused connections from new ones', async () => {
    fake.respond({}, json({}));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await call('/', '', {}, agent);
    await call('/', '', {}, agent);
    await call();
    agent.destroy();
    expect(fake.requests.map(({ connection }) => connection)).toEqual([0, 0, 1]);
    expect(fake.connections.total).toBe(2);
  });
  it('is bounded in number and in bytes, and says what was cut', async () => {
    const small = await startFakeUpstream({ maxRecorded: 2, maxBodyBytes: 3 });
    for (const body of ['a', 'b', 'long']) await (await fetch(small.url, { method: 'POST', body })).text();
    expect(small.requests.map((one) => [one.body.toString(), one.isTruncated])).toEqual([
      ['b', false],
      ['lon', true],
    ]);
    expect((await small.waitForRequest(3)).body.toString()).toBe('lon');
    await expect(small.waitForRequest(1)).rejects.toThrow('no longer in the record');
    await small.stop();
  });
  it('waits for a request, but not for ever', async () => {
    const waiting = fake.waitForRequest(1);
    void call('/later');
    expect((await waiting).target).toBe('/later');
    await expect(fake.waitForRequest(2, 20)).rejects.toThrow('request 2 did not arrive within 20 ms');
  });
});

describe('choice of behaviour', () => {
  it('takes "next" orders in turn, then the latest matcher, then the fallback', async () => {
    fake.respond({ path: '/a' }, json('first'));
    fake.respond({ path: /^\/a/, method: 'POST' }, json('second'), { times: 1 });
    fake.respond({ model: 'm' }, (request) => json({ saw: request.target }));
    fake.respond('next', json('one'));
    fake.respond('next', json('two'));
    const answers: string[] = [];
    for (const [target, body] of [
      ['/x', ''],
      ['/x', ''],
      ['/a?q', ''],
      ['/a', 'no json'],
      ['/a', '{"model":"m"}'],
      ['/b', 'null'],
    ] as const)
      answers.push((await call(target, body)).text);
    expect(answers.slice(0, 5)).toEqual(['"one"', '"two"', '"second"', '"first"', '{"saw":"/a"}']);
    expect(answers[5]).toContain('was not told');
  });
  it('forgets everything on reset', async () => {
    fake.respond({}, json(1));
    await call();
    fake.reset();
    expect(fake.requests).toEqual([]);
    expect((await call()).status).toBe(404);
  });
});

describe('answers', () => {
  it('sends exactly the given chunks, also cut inside a UTF-8 sequence and inside an SSE line', async () => {
    const frame = 'data: {"text":"é👋"}\n\n';
    const cuts = cutAt(frame, 3, 16, 19);
    fake.respond('next', sse(cuts));
    const seen = await call();
    expect(seen.chunks).toEqual(cuts);
    expect(seen.text).toBe(frame);
    expect(cuts[1]?.toString()).toContain('\uFFFD');
  });
  it('can send every byte alone', async () => {
    fake.respond('next', bytes(everyBytes('a👋')));
    expect((await call()).chunks.map((chunk) => chunk.length)).toEqual([1, 1, 1, 1, 1]);
  });
  it('waits before the first byte, and between pieces', async () => {
    fake.respond('next', drip('abc', { everyMs: 15, beforeMs: 30 }));
    const start = performance.now();
    const seen = await call();
    expect(seen.chunks.map(String)).toEqual(['a', 'b', 'c']);
    expect(performance.now() - start).toBeGreaterThanOrEqual(70);
  });
  it('sends status, repeated headers, redirects, web pages, wrong types and compressed bodies as told', async () => {
    fake.respond(
      'next',
      json({ a: 1 }, { status: 529, headers: { 'retry-after': '1', 'set-cookie': ['a=1', 'b=2'] } }),
    );
    fake.respond('next', redirect('https://elsewhere.test/'));
    fake.respond('next', html());
    fake.respond('next', bytes(['data: x\n\n'], { headers: { 'content-type': 'image/png' } }));
    fake.respond('next', gzipped(json({ zipped: true })));
    const [overloaded, moved, page, image, packed] = [
      await call(),
      await call(),
      await call(),
      await call(),
      await call(),
    ];
    expect([overloaded.status, overloaded.headers['retry-after'], overloaded.headers['set-cookie']]).toEqual([
      529,
      '1',
      ['a=1', 'b=2'],
    ]);
    expect([moved.status, moved.headers.location]).toEqual([307, 'https://elsewhere.test/']);
    expect([page.status, page.headers['content-type'], page.end]).toEqual([502, 'text/html', 'clean']);
    expect(image.headers['content-type']).toBe('image/png');
    expect(gunzipSync(Buffer.concat(packed.chunks)).toString()).toBe('{"zipped":true}');
  });
  it('streams 100 MB', async () => {
    fake.respond('next', filler(100_000_000));
    const response = await fetch(fake.url);
    let total = 0;
    for await (const chunk of response.body ?? []) total += (chunk as Uint8Array).length;
    expect(total).toBe(100_000_000);
  });
  it('makes a long body only as fast as the client reads', async () => {
    let made = 0;
    function* make(): Generator<Buffer> {
      for (; made < 100_000_000; made += 65_536) yield Buffer.alloc(65_536);
    }
    fake.respond('next', bytes(make));
    const client = connect(fake.port, '127.0.0.1').pause();
    client.write('GET / HTTP/1.1\r\nhost: h\r\n\r\n');
    const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100));
    while (made === 0) await pause();
    await pause();
    expect(made).toBeLessThan(20_000_000); // what the kernel's buffers hold
    client.destroy();
  });
  it('can answer before the body of the request has come', async () => {
    fake.respond({ path: '/early' }, json({ error: 'too large' }, { status: 413, early: true }));
    const client = httpRequest(`${fake.url}/early`, { method: 'POST', headers: { 'content-length': '1000000' } });
    client.on('error', () => undefined);
    client.flushHeaders();
    const [response] = (await once(client, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(413);
    client.destroy();
  });
  it('writes raw bytes, malformed ones too, and garbage after a complete message', async () => {
    const read = async (): Promise<string> => {
      const client = connect(fake.port, '127.0.0.1');
      client.write('GET / HTTP/1.1\r\nhost: h\r\n\r\n');
      let text = '';
      for await (const chunk of client) {
        text += String(chunk);
        if (text.includes('GARBAGE')) break;
      }
      return text;
    };
    fake.respond('next', { kind: 'raw', bytes: ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n'] });
    expect(await read()).toBe('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n');
    fake.respond('next', json({}, { trailing: 'GARBAGE' }));
    expect(await read()).toMatch(/\r\n\r\n\{\}GARBAGE$/);
  });
});

describe('broken answers', () => {
  it.each([
    ['cut', bytes(['one', 'two'], { end: 'cut' })],
    ['reset', bytes(['one', 'two', { waitMs: 30 }], { end: 'reset' })], // a reset overtakes what has not been read
    ['less than the claimed length', bytes(['one', 'two'], { framing: 100, end: 'cut' })],
  ])('%s: what was sent arrives, then the message breaks', async (_name, behaviour) => {
    fake.respond('next', behaviour);
    const seen = await call();
    expect(seen.end).toBe('broken');
    expect(seen.text).toBe('onetwo');
    expect(await fake.requests[0]?.closedByClient).toBe(false);
  });
  it.each([
    ['reset', reset],
    ['close', close],
  ])('%s in place of an answer', async (_name, behaviour) => {
    fake.respond('next', behaviour);
    await expect(call()).rejects.toThrow(/ECONNRESET|socket hang up/);
    expect(await fake.requests[0]?.closedByClient).toBe(false);
  });
  it('a clean end is clean even when the stream is not finished', async () => {
    fake.respond('next', bytes(recordings.chatStream.frames.slice(0, 3)));
    expect((await call()).end).toBe('clean');
    expect(await fake.requests[0]?.closedByClient).toBe(false);
  });
  it.each([
    ['before the headers', hang],
    ['in the middle of a stream', bytes(['one'], { end: 'hang' })],
    ['during a pause', bytes(['one', { waitMs: 60_000 }, 'two'])],
    ['during the pause before the answer', json({}, { beforeMs: 60_000 })],
    ['in a stream it no longer reads', filler(50_000_000)],
  ])('hangs %s until the client leaves, and knows that it left', async (_name, behaviour) => {
    fake.respond('next', behaviour);
    const client = connect(fake.port, '127.0.0.1');
    client.write('GET / HTTP/1.1\r\nhost: h\r\n\r\n');
    const request = await fake.waitForRequest(1);
    const early = await Promise.race([
      request.closedByClient,
      new Promise((resolve) => setTimeout(resolve, 30, 'open')),
    ]);
    expect(early).toBe('open');
    client.destroy();
    expect(await request.closedByClient).toBe(true);
  });
});

describe('recordings', () => {
  it.each(Object.entries(recordings))('%s is well formed', (_name, recording) => {
    const body = recording.frames.join('');
    if (recording.contentType.startsWith('application/json')) {
      expect(() => JSON.parse(body) as unknown).not.toThrow();
      return;
    }
    for (const frame of recording.frames) {
      expect(frame).toMatch(/^(event: [a-z._]+\n)?data: .+(\n\n|\r\n\r\n)$/);
      const data = /^data: (.+)$/m.exec(frame)?.[1] ?? '';
      if (data !== '[DONE]') expect(() => JSON.parse(data) as unknown).not.toThrow();
    }
  });
  it.each([
    ['/v1/chat/completions', { stream: true, stream_options: { include_usage: true } }, {}, recordings.chatStream],
    ['/v1/chat/completions', { stream: true }, {}, recordings.chatStreamWithoutUsage],
    ['/v1/chat/completions', { tools: [{}] }, {}, recordings.chatTools],
    ['/v1/responses', { stream: true }, {}, recordings.responsesStream],
    ['/v1/embeddings', { encoding_format: 'base64' }, {}, recordings.embeddingsBase64],
    ['/v1/messages?beta=true', { stream: true }, {}, recordings.messagesStream],
    ['/v1/models', {}, { 'anthropic-version': '2023-06-01' }, recordings.anthropicModels],
    ['/v1/models', {}, {}, recordings.openaiModels],
    ['/v1beta/models/gemini-3.1-pro-preview:streamGenerateContent?alt=sse', {}, {}, recordings.generateStream],
    ['/v1beta/models/gemini-3.1-pro-preview:streamGenerateContent', {}, {}, recordings.generateArray],
  ])('%s %j is answered by its recording', async (target, body, headers, recording) => {
    fake.respond({}, (request) => answerWithRecording(request));
    const seen = await call(target, JSON.stringify(body), headers as Record<string, string>);
    expect(seen.text).toBe(recording.frames.join(''));
    expect(seen.headers['content-type']).toBe(recording.contentType);
  });
  it('can be paced', async () => {
    fake.respond('next', replay(recordings.generateStream, { gapMs: 10, end: 'cut' }));
    const start = performance.now();
    expect((await call()).end).toBe('broken');
    expect(performance.now() - start).toBeGreaterThanOrEqual(25);
  });
});

describe('as its own process', () => {
  // Node runs the TypeScript itself; the hook finds x.ts where a source says x.js.
  const hook = `import{registerHooks}from'node:module';registerHooks({resolve:(s,c,n)=>n(c.parentURL?.endsWith('.ts')&&s.startsWith('.')?s.replace(/\\.js$/,'.ts'):s,c)})`;
  let child: ChildProcess;
  afterEach(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });

  it('prints where it listens, answers with recordings, and takes orders over HTTP', async () => {
    const main = new URL('./main.ts', import.meta.url).pathname;
    child = spawn(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(hook)}`, main], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    const { url } = JSON.parse(String(line)) as { url: string };
    const post = async (path: string, body: unknown): Promise<string> =>
      (await fetch(url + path, { method: 'POST', body: JSON.stringify(body) })).text();
    expect(await post('/v1/messages', { stream: true })).toBe(recordings.messagesStream.frames.join(''));
    const behaviour = { kind: 'answer', status: 200, body: ['a', { waitMs: 1 }, { base64: 'Yg==' }] };
    await post('/__fake/respond', { when: { model: 'm' }, behaviour, times: 1 });
    expect(await post('/v1/x', { model: 'm' })).toBe('ab');
    const seen = (await (await fetch(`${url}/__fake/requests`)).json()) as { target: string; body: string }[];
    expect(seen.map(({ target }) => target)).toEqual(['/v1/messages', '/v1/x']);
    expect(Buffer.from(seen[1]?.body ?? '', 'base64').toString()).toBe('{"model":"m"}');
    await post('/__fake/reset', {});
    expect(await (await fetch(`${url}/__fake/requests`)).json()).toEqual([]);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  }, 20_000);
});
