import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { type Dispatcher, Pool } from 'undici';
import { guardedConnector, type LookupAll } from './connector.js';
import { EgressPolicy } from './policy.js';
import { EgressRefused } from './refused.js';

let server: Server;
let port: number;
let hits: string[];
const pools: Pool[] = [];
const others: TcpServer[] = [];

beforeEach(async () => {
  hits = [];
  server = createServer((request, reply) => {
    hits.push(`${request.headers.host} ${request.socket.localAddress}`);
    reply.end('here');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.destroy()));
  for (const other of others.splice(0)) other.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

interface Setup {
  readonly allow?: string[];
  readonly policy?: () => EgressPolicy;
  readonly lookup?: LookupAll;
  readonly connectTimeoutMs?: number;
}

function poolFor(origin: string, { allow = [], policy, lookup, connectTimeoutMs = 2000 }: Setup): Pool {
  const compiled = new EgressPolicy(allow);
  const options = { connectTimeoutMs, ...(lookup === undefined ? {} : { lookup }) };
  const pool = new Pool(origin, { connect: guardedConnector(policy ?? (() => compiled), options) });
  pools.push(pool);
  return pool;
}

async function get(origin: string, setup: Setup): Promise<string> {
  const answer: Dispatcher.ResponseData = await poolFor(origin, setup).request({ path: '/', method: 'GET' });
  return answer.body.text();
}

const answers =
  (...addresses: string[]): LookupAll =>
  async () =>
    addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));

it('egress: a listed address is reached, literally and by name', async () => {
  const allow = ['127.0.0.0/8'];
  expect(await get(`http://127.0.0.1:${port}`, { allow })).toBe('here');
  expect(await get(`http://upstream.test:${port}`, { allow, lookup: answers('127.0.0.1') })).toBe('here');
  expect(hits[1]).toBe(`upstream.test:${port} 127.0.0.1`);
});

it.each([
  ['http://127.0.0.1', 'loopback'],
  ['http://[::1]', 'loopback'],
  ['http://[::ffff:127.0.0.1]', 'loopback'],
  ['http://0.0.0.0', 'this host'],
  ['http://0x7f.1', 'loopback'],
  ['http://2130706433', 'loopback'],
  ['https://169.254.169.254', 'metadata'],
  ['http://8.8.8.8', 'plain http to an address that is not listed'],
])('egress: the literal %s is refused before any packet leaves', async (origin, reason) => {
  const failure = await get(`${origin}:${port}`, {}).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(EgressRefused);
  expect(failure).toMatchObject({ code: 'EGRESS_REFUSED', reason: expect.stringContaining(reason) as string });
  expect(hits).toEqual([]);
});

it('egress: a name that leads to a private address is refused', async () => {
  const failure = await get(`http://rebind.test:${port}`, { lookup: answers('127.0.0.1') }).catch(
    (error: unknown) => error,
  );
  expect(failure).toMatchObject({
    name: 'EgressRefused',
    host: 'rebind.test',
    address: '127.0.0.1',
    reason: 'loopback',
  });
  expect(hits).toEqual([]);
});

it('egress: an answer of which one address is refused is refused as a whole', async () => {
  for (const addresses of [
    ['127.0.0.1', '10.0.0.1'],
    ['10.0.0.1', '127.0.0.1'],
    ['127.0.0.1', '::1'],
  ]) {
    const setup = { allow: ['127.0.0.0/8'], lookup: answers(...addresses) };
    await expect(get(`http://mixed.test:${port}`, setup)).rejects.toMatchObject({ code: 'EGRESS_REFUSED' });
  }
  expect(hits).toEqual([]);
});

it('egress: the socket goes to the address that was checked, however the next answer reads (DNS rebinding)', async () => {
  let asked = 0;
  const lookup: LookupAll = async () => {
    asked++;
    return [{ address: asked === 1 ? '127.0.0.1' : '10.9.9.9', family: 4 }];
  };
  const pool = poolFor(`http://rebind.test:${port}`, { allow: ['127.0.0.0/8'], lookup });
  const first = await pool.request({ path: '/', method: 'GET' });
  expect(await first.body.text()).toBe('here');
  expect(asked).toBe(1);
  server.closeAllConnections(); // forces a new connection and thereby a new question
  await expect(pool.request({ path: '/', method: 'GET', reset: true })).rejects.toThrow();
  await expect(pool.request({ path: '/', method: 'GET' })).rejects.toMatchObject({
    address: '10.9.9.9',
    code: 'EGRESS_REFUSED',
  });
  expect(asked).toBeGreaterThan(1);
});

it('egress: a changed policy counts from the next connection on', async () => {
  let policy = new EgressPolicy([]);
  const setup = { policy: () => policy };
  await expect(get(`http://127.0.0.1:${port}`, setup)).rejects.toBeInstanceOf(EgressRefused);
  policy = new EgressPolicy(['127.0.0.0/8']);
  expect(await get(`http://127.0.0.1:${port}`, setup)).toBe('here');
  policy = new EgressPolicy([]);
  await expect(get(`http://127.0.0.1:${port}`, setup)).rejects.toBeInstanceOf(EgressRefused);
});

it('egress: a policy that changes during the lookup is the one that counts', async () => {
  let policy = new EgressPolicy(['127.0.0.0/8']);
  const lookup: LookupAll = async () => {
    policy = new EgressPolicy([]);
    return [{ address: '127.0.0.1', family: 4 }];
  };
  await expect(get(`http://slow.test:${port}`, { policy: () => policy, lookup })).rejects.toBeInstanceOf(EgressRefused);
});

describe('localhost', () => {
  it('egress: needs one of the two loopback addresses listed, and no resolver is asked', async () => {
    const lookup: LookupAll = async () => {
      throw new Error('asked');
    };
    expect(await get(`http://localhost:${port}`, { allow: ['127.0.0.0/8'], lookup })).toBe('here');
    expect(await get(`http://a.localhost:${port}`, { allow: ['127.0.0.0/8'], lookup })).toBe('here');
    await expect(get(`http://localhost:${port}`, { lookup })).rejects.toBeInstanceOf(EgressRefused);
    await expect(get(`http://LOCALHOST.:${port}`, { lookup })).rejects.toBeInstanceOf(EgressRefused);
  });
});

it('egress: a name without addresses and a resolver that fails give their own errors', async () => {
  await expect(get('https://nowhere.test', { lookup: answers() })).rejects.toMatchObject({ code: 'ENOTFOUND' });
  const lookup: LookupAll = async () => {
    throw Object.assign(new Error('no server'), { code: 'EAI_AGAIN' });
  };
  await expect(get('https://nowhere.test', { lookup })).rejects.toMatchObject({ code: 'EAI_AGAIN' });
});

it('egress: a resolver that never answers is bounded by the connect timeout', async () => {
  const lookup: LookupAll = () => new Promise(() => {});
  const before = performance.now();
  await expect(get('https://hangs.test', { lookup, connectTimeoutMs: 300 })).rejects.toMatchObject({
    code: 'UND_ERR_CONNECT_TIMEOUT',
  });
  expect(performance.now() - before).toBeLessThan(5000);
});

it('egress: a handshake that never ends is bounded by the connect timeout', async () => {
  const silent = createTcpServer(() => {});
  others.push(silent);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const origin = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  await expect(get(origin, { allow: ['127.0.0.0/8'], connectTimeoutMs: 300 })).rejects.toMatchObject({
    code: 'UND_ERR_CONNECT_TIMEOUT',
  });
});

it('egress: https asks for the certificate of the name and offers HTTP/1.1 only', async () => {
  const seen: string[] = [];
  const tls = createTlsServer({
    ALPNCallback: ({ servername, protocols }) => {
      seen.push(servername, ...protocols);
      return undefined;
    },
  });
  tls.on('tlsClientError', () => {});
  others.push(tls);
  await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve));
  const origin = `https://api.test:${(tls.address() as AddressInfo).port}`;
  await expect(get(origin, { allow: ['127.0.0.0/8'], lookup: answers('127.0.0.1') })).rejects.toThrow();
  expect(seen).toEqual(['api.test', 'http/1.1']);
});

it('egress: the second address of an answer is tried when the first does not answer', async () => {
  const setup = { allow: ['127.0.0.0/8'], lookup: answers('127.0.0.2', '127.0.0.1') };
  expect(await get(`http://two.test:${port}`, setup)).toBe('here');
});
