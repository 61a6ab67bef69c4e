import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startAdminGateway, type AdminGateway } from './admin-gateway.js';

describe('the admin side while PostgreSQL is away', () => {
  let gateway: AdminGateway;
  beforeAll(async () => {
    gateway = await startAdminGateway();
  }, 60_000);
  afterAll(() => gateway?.stop(), 30_000);

  it('OPS-3: without PostgreSQL, known keys and tokens go on, changes are refused as 503, and nothing leaks', async () => {
    await gateway.stopPostgres();
    expect((await gateway.call('GET', '/v1/models', { token: gateway.first.firstKey.reveal() })).status).toBe(200);
    expect((await gateway.call('GET', '/api/keys')).status).toBe(200);
    const refused = await Promise.all([
      gateway.call('POST', '/api/keys', { body: { name: 'x' } }),
      gateway.call('POST', '/api/tokens', { body: { name: 'x', role: 'proxy_admin' } }),
      gateway.call('POST', gateway.first.adminLinkPath.reveal(), { token: null }),
    ]);
    for (const answer of refused) {
      expect([answer.status, answer.json.code]).toEqual([503, 'store_unavailable']);
      expect(answer.text).not.toMatch(/ECONNREFUSED|127\.0\.0\.1|INSERT|UPDATE|pg_/);
    }
    await sleep(1_100);
    const ready = await gateway.call('GET', '/health/ready', { token: null });
    expect([ready.status, ready.json.status]).toEqual([200, 'degraded']);
  }, 30_000);
});
