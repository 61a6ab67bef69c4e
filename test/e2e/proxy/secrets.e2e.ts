import { close, json } from '#test/fakes/upstream/behaviour.js';
import { startFakeUpstream, type FakeUpstream } from '#test/fakes/upstream/fake-upstream.js';
import { eventually, startProduct, type Product } from '../harness.js';

/** One per place in which the product holds a credential; none may show up anywhere. */
const CANARY = {
  apiKey: 'sk-canary-provider-6f1d9c2b7a',
  header: 'canary-header-9a8b7c6d5e4f3a',
  fileKey: 'canary-file-key-1a2b3c4d5e6f',
  tried: 'sk-sf-canarytried00000000000000000000000000000000000000000000000',
  cookie: 'canary-cookie-0f9e8d7c6b5a',
};

let upstream: FakeUpstream;
let product: Product;
let bannerEnd: number;
beforeAll(async () => {
  upstream = await startFakeUpstream();
  product = await startProduct({
    env: { SMARTFLOW_LOG_LEVEL: 'debug', CANARY_API_KEY: CANARY.apiKey },
    config: {
      egress: { allow: ['127.0.0.0/8'] },
      providers: {
        openai: {
          type: 'openai',
          base_url: `${upstream.url}/v1`,
          api_key: '${CANARY_API_KEY}',
          headers: { 'x-canary': CANARY.header },
        },
      },
      keys: [{ name: 'canary', key: CANARY.fileKey }],
    },
  });
  bannerEnd = product.logs().length;
}, 120_000);
afterAll(async () => {
  await product?.stop();
  await upstream?.stop();
}, 60_000);

const call = (key: string, path = '/v1/chat/completions'): Promise<Response> =>
  fetch(product.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, cookie: `a=${CANARY.cookie}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'gpt-5', messages: [{ role: 'user', content: 'hi' }] }),
  });

it('OBS-3: no credential reaches the log, an answer, the admin API or the metrics, whatever goes wrong', async () => {
  const shown: string[] = [];
  const quotes = (status: number) =>
    json({ error: { message: `bad key ${CANARY.apiKey} and ${CANARY.header}` } }, { status });
  for (const behaviour of [json({ choices: [] }), quotes(401), quotes(500), close]) {
    upstream.respond('next', behaviour);
    const answer = await call(CANARY.fileKey);
    shown.push(await answer.text(), JSON.stringify([...answer.headers]));
  }
  for (const [key, path] of [
    [CANARY.tried, '/v1/chat/completions'],
    [CANARY.fileKey, `/v1/nothing?key=${CANARY.tried}`],
    [CANARY.fileKey, '/v1/%zz'],
  ] as const) {
    shown.push(await (await call(key, path)).text());
  }
  const admin = (path: string, token: string): Promise<Response> =>
    fetch(product.url + path, { headers: { authorization: `Bearer ${token}` } });
  shown.push(await (await admin('/api/keys', CANARY.tried)).text());
  const rows = await eventually('the four rows', 5000, async () => {
    const text = await (await admin('/api/logs', product.adminToken)).text();
    return (JSON.parse(text) as { items: unknown[] }).items.length === 4 ? text : null;
  });
  shown.push(rows);
  for (const { id } of (JSON.parse(rows) as { items: { id: string }[] }).items)
    shown.push(await (await admin(`/api/logs/${id}`, product.adminToken)).text());
  for (const path of ['/api/keys', '/metrics', '/api/openapi.json', '/health/ready', '/'])
    shown.push(await (await admin(path, product.adminToken)).text());
  shown.push(product.logs().slice(bannerEnd));

  expect(
    upstream.requests.every(
      (request) =>
        request.header('authorization') === `Bearer ${CANARY.apiKey}` && request.header('x-canary') === CANARY.header,
    ),
  ).toBe(true);
  for (const [place, secret] of Object.entries({ ...CANARY, adminToken: product.adminToken, firstKey: product.key })) {
    expect({ place, found: shown.filter((text) => text.includes(secret)).map((text) => text.slice(0, 300)) }).toEqual({
      place,
      found: [],
    });
  }
}, 30_000);
