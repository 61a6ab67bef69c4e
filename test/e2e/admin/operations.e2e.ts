import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startAdminGateway, type AdminGateway } from './admin-gateway.js';

describe('operations', () => {
  let gateway: AdminGateway;
  beforeAll(async () => {
    gateway = await startAdminGateway();
  }, 60_000);
  afterAll(() => gateway?.stop(), 30_000);

  it('OBS-3: live and ready need no credential and name neither addresses nor reasons', async () => {
    const live = await gateway.call('GET', '/health/live', { token: null });
    expect([live.status, live.json]).toEqual([200, { status: 'live' }]);
    const ready = await gateway.call('GET', '/health/ready', { token: null });
    expect([ready.status, ready.json]).toEqual([
      200,
      {
        status: 'ready',
        stores: { postgres: 'up', redis: 'up' },
        budgets: 'open',
        registryVersion: expect.any(Number),
      },
    ]);
  });

  it('OBS-3: metrics are for tokens, and for a direct caller on this machine', async () => {
    const metrics = (token: string | null, headers: Record<string, string> = {}) =>
      gateway.call('GET', '/metrics', { token, headers });
    const direct = await metrics(null);
    expect(direct.status).toBe(200);
    expect(direct.headers.get('content-type')).toMatch(/^text\/plain/);
    expect(direct.text).toContain('# TYPE ');
    expect((await metrics(gateway.first.adminToken.reveal(), { 'x-forwarded-for': '10.0.0.1' })).status).toBe(200);
    expect((await metrics('nonsense')).status).toBe(401);
    for (const name of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip']) {
      expect((await metrics(null, { [name]: '10.0.0.1' })).status).toBe(401);
    }
  });

  it('OBS-3: a name rebound to this machine does not open the metrics', async () => {
    const { request } = await import('node:http');
    const status = await new Promise((resolve, reject) => {
      const { hostname, port } = new URL(gateway.url);
      request({ hostname, port, path: '/metrics', headers: { host: 'evil.example' } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(401);
  });

  it('OBS-3: no metric has a key, a token or a user in it', async () => {
    await gateway.call('GET', '/v1/models', { token: gateway.first.firstKey.reveal() });
    const { text } = await gateway.call('GET', '/metrics');
    expect(text).not.toMatch(/sk-sf-|sf_admin_|key_[0-9a-f]{8}/);
  });

  it('the first page says what runs and where the documentation is, without any script', async () => {
    const page = await gateway.call('GET', '/', { token: null });
    expect(page.status).toBe(200);
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(page.text).toContain(`Version ${version}`);
    expect(page.text).toContain('href="/api/docs"');
    expect(page.text).not.toMatch(/<script|https?:\/\//);
  });

  it('OPS-1: the API page loads nothing from another server, and serves three files and no path', async () => {
    const page = await gateway.call('GET', '/api/docs', { token: null });
    expect(page.text).not.toMatch(/https?:\/\//);
    for (const [, target] of page.text.matchAll(/(?:src|href)="([^"]+)"/g)) {
      const file = await gateway.call('GET', target as string, { token: null });
      expect(file.status).toBe(200);
      expect(file.text.length).toBeGreaterThan(100);
      expect(file.headers.get('content-type')).toMatch(/^(text\/(css|javascript)|image\/png)/);
    }
    for (const name of [
      'index.html',
      'package.json',
      'swagger-initializer.js',
      '.env',
      '..%2fpackage.json',
      'constructor',
    ]) {
      expect([400, 404]).toContain((await gateway.call('GET', `/api/docs/${name}`, { token: null })).status);
    }
  });

  it('the served description is the committed one', async () => {
    const { status, text } = await gateway.call('GET', '/api/openapi.json', { token: null });
    expect(status).toBe(200);
    const committed = existsSync('docs/openapi.json') ? readFileSync('docs/openapi.json', 'utf8') : 'null';
    if (isDeepStrictEqual(JSON.parse(committed), JSON.parse(text))) return;
    const fresh = path.join(os.tmpdir(), 'smartflow-openapi.json');
    writeFileSync(fresh, `${text}\n`);
    throw new Error(`docs/openapi.json is stale: look at the difference, then copy ${fresh} over it and format it`);
  });
});
