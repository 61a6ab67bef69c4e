import path from 'node:path';
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestPostgres, startTestRedis, type TestPostgres, type TestRedis } from '#libs/stores/testing.js';
import { eventually, startProduct, temporaryDataDir, type Product } from '../harness.js';

describe('CFG-2: two instances on the same stores are one cluster', () => {
  let postgres: TestPostgres;
  let redis: TestRedis;
  let folder: string;
  const open: Product[] = [];

  beforeAll(async () => {
    [postgres, redis, folder] = await Promise.all([startTestPostgres(), startTestRedis(), temporaryDataDir()]);
    const env = { DATABASE_URL: postgres.ownerUrl.reveal(), REDIS_URL: redis.url.reveal() };
    const started = await Promise.all(
      ['a', 'b'].map((name) => startProduct({ env, dataDir: path.join(folder, name) })),
    );
    open.push(...started);
  }, 120_000);
  afterAll(async () => {
    await Promise.all(open.map((product) => product.stop()));
    await Promise.all([postgres?.stop(), redis?.stop()]);
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  const ask = (product: Product, target: string, credential: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${product.url}${target}`, {
      ...init,
      headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(10_000),
    });
  const pair = (): [Product, Product] => open as [Product, Product];

  it('each accepts the tokens and keys of the other', async () => {
    const [a, b] = pair();
    expect(a.adminToken).not.toBe(b.adminToken);
    for (const [here, there] of [
      [a, b],
      [b, a],
    ] as const) {
      expect((await ask(here, '/api/keys', there.adminToken)).status).toBe(200);
      expect((await ask(here, '/v1/models', there.key)).status).toBe(200);
    }
  });

  it('KEY-1: with wait=applied a change is in force everywhere when the answer comes', async () => {
    const [a, b] = pair();
    for (let i = 0; i < 5; i++) {
      const made = await ask(a, '/api/keys?wait=applied', a.adminToken, {
        method: 'POST',
        body: JSON.stringify({ name: `k${i}` }),
      });
      expect([made.status, made.headers.get('x-smartflow-applied')]).toEqual([201, '2/2']);
      const { id, key } = (await made.json()) as { id: string; key: string };
      expect((await ask(b, '/v1/models', key)).status).toBe(200);
      const gone = await ask(b, `/api/keys/${id}?wait=applied`, b.adminToken, { method: 'DELETE' });
      expect(gone.headers.get('x-smartflow-applied')).toBe('2/2');
      expect((await ask(a, '/v1/models', key)).status).toBe(401);
    }
  }, 30_000);

  it('KEY-1: without waiting it takes a poll at most', async () => {
    const [a, b] = pair();
    const made = await ask(a, '/api/keys', a.adminToken, { method: 'POST', body: JSON.stringify({ name: 'soon' }) });
    const { key } = (await made.json()) as { key: string };
    await eventually('the other knows the key', 3_000, async () =>
      (await ask(b, '/v1/models', key)).status === 200 ? true : null,
    );
  });

  it('a session of one is a session of the other, and a link is used up for both', async () => {
    const [a, b] = pair();
    const link = /(\/auth\/link\/\S+)/.exec(a.logs())?.[1] as string;
    const press = (product: Product) => fetch(`${product.url}${link}`, { method: 'POST', redirect: 'manual' });
    const answer = await press(b);
    expect(answer.status).toBe(303);
    expect((await press(a)).status).toBe(404);
    const cookie = (answer.headers.get('set-cookie') ?? '').split(';')[0] as string;
    for (const product of [a, b]) {
      expect((await fetch(`${product.url}/api/keys`, { headers: { cookie } })).status).toBe(200);
    }
  });
});
