import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { Client } from 'undici';
import { EgressPolicy, guardedConnector } from '#libs/platform/egress.js';
import { classifyFault, type AnswerStage } from './classify-fault.js';

/** What a call to a real socket that misbehaves ends in, as the data plane would see it: by undici's dispatch. */
async function faultAt(origin: string): Promise<{ error: unknown; stage: AnswerStage }> {
  const policy = new EgressPolicy(['127.0.0.0/8', '::1/128']);
  const client = new Client(origin, {
    connect: guardedConnector(() => policy, { connectTimeoutMs: 2_000 }),
    headersTimeout: 300,
    bodyTimeout: 300,
  });
  let stage: AnswerStage = 'none';
  try {
    const error = await new Promise<unknown>((resolve) => {
      client.dispatch(
        { path: '/', method: 'POST', body: '{}', headersTimeout: 300, bodyTimeout: 300 },
        {
          onRequestStart: () => {},
          onResponseStart: () => void (stage = 'started'),
          onResponseData: (_controller, chunk) => void (stage = chunk.includes('content') ? 'content' : stage),
          onResponseEnd: () => resolve(null),
          onResponseError: (_controller, cause) => resolve(cause),
        },
      );
    });
    return { error, stage };
  } finally {
    await client.destroy();
  }
}

async function listening<T>(server: Server, work: (port: number) => Promise<T>): Promise<T> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await work((server.address() as AddressInfo).port);
  } finally {
    server.close();
  }
}

const http = (listener: RequestListener): Server => createHttpServer(listener);
const raw = (answer: string): Server =>
  createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => (answer === '' ? socket.resetAndDestroy() : socket.write(answer)));
  });

describe('classifyFault on real sockets', () => {
  it.each<[string, string, () => Server, string]>([
    ['resets before the answer', 'http', () => raw(''), 'connect'],
    ['never answers', 'http', () => http(() => {}), 'first_byte_timeout'],
    ['speaks no HTTP', 'http', () => raw('SSH-2.0-x\r\n\r\n'), 'bad_answer'],
    ['speaks no TLS', 'https', () => http(() => {}), 'tls'],
    ['stops before content', 'http', () => http((_in, out) => void out.writeHead(200).write(': ping\n\n')), 'stall'],
    ['stops after content', 'http', () => http((_in, out) => void out.writeHead(200).write('content')), 'late_stall'],
    [
      'breaks off before content',
      'http',
      () => http((_in, out) => void out.writeHead(200).write('x', () => out.destroy())),
      'cut',
    ],
    [
      'breaks off after content',
      'http',
      () => http((_in, out) => void out.writeHead(200).write('content', () => out.destroy())),
      'late_cut',
    ],
    [
      'promises more bytes than it sends',
      'http',
      () => raw('HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\n{}'),
      'stall',
    ],
  ])('RTE-2: a provider that %s', async (_what, scheme, make, expected) => {
    const { error, stage } = await listening(make(), (port) => faultAt(`${scheme}://127.0.0.1:${port}`));
    expect(error).not.toBeNull();
    expect(classifyFault(error, stage)).toBe(expected);
  });

  it('RTE-2: a provider that is not there, has no name, or lies where the gateway may not call', async () => {
    const port = await listening(raw(''), async (free) => free);
    const refused = await faultAt(`http://127.0.0.1:${port}`);
    expect(classifyFault(refused.error, refused.stage)).toBe('connect');
    const nameless = await faultAt('https://no-such-host.invalid');
    expect(classifyFault(nameless.error, nameless.stage)).toBe('dns');
    const forbidden = await faultAt('http://10.0.0.1:9');
    expect(classifyFault(forbidden.error, forbidden.stage)).toBe('dns');
  });
});
