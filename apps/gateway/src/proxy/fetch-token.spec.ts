import { drip, filler, hang, html, json, redirect, reset } from '#test/fakes/upstream/behaviour.js';
import { startFakeUpstream, type FakeUpstream } from '#test/fakes/upstream/fake-upstream.js';
import { EgressPolicy } from '#libs/platform/egress.js';
import { TokenClient } from './fetch-token.js';

let service: FakeUpstream;
let client: TokenClient;
let policy = new EgressPolicy(['127.0.0.0/8']);
beforeAll(async () => {
  service = await startFakeUpstream();
  client = new TokenClient(() => policy, { totalTimeoutMs: 400 });
});
afterAll(async () => {
  await client.destroy();
  await service.stop();
});
beforeEach(() => service.reset());

const ask = (path = '/token') => client.fetchToken({ url: service.url + path, form: { a: 'b c&d', ü: '=' } });

it('LLM-5: a token service gets a form and its answer comes back whatever its status', async () => {
  service.respond('next', json({ error: 'x' }, { status: 401 }));
  expect(await ask()).toEqual({ status: 401, body: '{"error":"x"}' });
  const request = service.requests[0]!;
  expect(request.header('content-type')).toBe('application/x-www-form-urlencoded');
  expect(Object.fromEntries(new URLSearchParams(request.body.toString()))).toEqual({ a: 'b c&d', ü: '=' });
});

it('a redirect is not followed', async () => {
  service.respond('next', redirect(`${service.url}/elsewhere`));
  expect(await ask()).toMatchObject({ status: 307 });
  expect(service.requests).toHaveLength(1);
});

it('a page of HTML is an answer like any other: it holds no token', async () => {
  service.respond('next', html(502));
  expect(await ask()).toMatchObject({ status: 502 });
});

it.each([
  ['never answers', hang],
  ['resets', reset],
  ['drips for ever', drip('x'.repeat(1000), { everyMs: 50 })],
  ['sends megabytes', filler(5_000_000)],
])('every wait is bounded: one that %s is an error soon', async (_name, behaviour) => {
  service.respond('next', behaviour);
  const startedMs = performance.now();
  await expect(ask()).rejects.toThrow();
  expect(performance.now() - startedMs).toBeLessThan(3000);
});

it('egress: an address that is not listed is not asked', async () => {
  policy = new EgressPolicy([]);
  const fresh = new TokenClient(() => policy);
  await expect(fresh.fetchToken({ url: `${service.url}/token`, form: {} })).rejects.toMatchObject({
    code: 'EGRESS_REFUSED',
  });
  expect(service.requests).toHaveLength(0);
  await fresh.destroy();
});
