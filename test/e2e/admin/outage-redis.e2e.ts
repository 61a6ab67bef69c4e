import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startAdminGateway, type AdminGateway } from './admin-gateway.js';

describe('the admin side while Redis is away', () => {
  let gateway: AdminGateway;
  beforeAll(async () => {
    gateway = await startAdminGateway();
  }, 60_000);
  afterAll(() => gateway?.stop(), 30_000);

  it('OPS-3: without Redis, tokens and keys go on, changes are made and act; only cookies wait', async () => {
    const signIn = await gateway.call('POST', gateway.first.adminLinkPath.reveal(), { token: null });
    const cookie = (signIn.headers.get('set-cookie') ?? '').split(';')[0] as string;
    expect((await gateway.call('GET', '/api/keys', { token: null, headers: { cookie } })).status).toBe(200);
    await gateway.redis.kill();
    const startedAt = Date.now();
    const made = await gateway.call('POST', '/api/keys', { body: { name: 'made without Redis' } });
    expect(made.status).toBe(201);
    expect(Date.now() - startedAt).toBeLessThan(2_000);
    expect((await gateway.call('GET', '/v1/models', { token: made.json.key })).status).toBe(200);
    expect((await gateway.call('DELETE', `/api/keys/${made.json.id}`)).status).toBe(200);
    expect((await gateway.call('GET', '/v1/models', { token: made.json.key })).status).toBe(401);
    const session = await gateway.call('GET', '/api/keys', { token: null, headers: { cookie } });
    expect([session.status, session.json.code]).toEqual([503, 'store_unavailable']);
    expect(session.text).not.toMatch(/ECONNREFUSED|127\.0\.0\.1|ioredis/);
    expect((await gateway.call('GET', '/', { token: null, headers: { cookie } })).status).toBe(200);
    await sleep(1_100);
    const ready = await gateway.call('GET', '/health/ready', { token: null });
    expect([ready.status, ready.json.status, ready.json.stores]).toEqual([
      200,
      'degraded',
      { postgres: 'up', redis: 'down' },
    ]);
  }, 30_000);
});
