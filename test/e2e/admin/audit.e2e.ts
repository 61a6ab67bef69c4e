import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connectPostgres } from '#libs/stores/index.js';
import { startAdminGateway, type AdminGateway } from './admin-gateway.js';

describe('/api/audit', () => {
  let gateway: AdminGateway;
  beforeAll(async () => {
    gateway = await startAdminGateway();
  }, 60_000);
  afterAll(() => gateway?.stop(), 30_000);

  it('IAM-5: each change says who, what, before, after, from where; a refused one is not there; no secret is', async () => {
    const { json: made } = await gateway.call('POST', '/api/keys', {
      body: { name: 'one', tags: ['a'] },
      headers: { 'user-agent': 'agent/1' },
    });
    await gateway.call('PATCH', `/api/keys/${made.id}`, { body: { name: 'two' } });
    await gateway.call('PATCH', `/api/keys/${made.id}`, { body: { name: 5 } });
    await gateway.call('PATCH', `/api/keys/${made.id}`, { body: { name: 'x' }, headers: { 'if-match': '"1"' } });
    const gone = await gateway.call('DELETE', `/api/keys/${made.id}`);
    await gateway.call('POST', gateway.first.adminLinkPath.reveal(), { token: null });
    const { text, json } = await gateway.call('GET', '/api/audit?limit=4');
    expect(json.items.map((item: { action: string }) => item.action)).toEqual([
      'admin_link.use',
      'key.revoke',
      'key.update',
      'key.create',
    ]);
    const [link, revoke, update, create] = json.items;
    expect(create).toMatchObject({
      object: { kind: 'key', id: made.id, name: 'one' },
      actor: { kind: 'token', name: 'bootstrap' },
      before: null,
      after: { name: 'one', tags: ['a'] },
      ip: '127.0.0.1',
      userAgent: 'agent/1',
    });
    expect(update).toMatchObject({ before: { name: 'one' }, after: { name: 'two', tags: ['a'] } });
    expect(revoke).toMatchObject({
      version: gone.json.version,
      requestId: gone.headers.get('x-request-id'),
      before: { revokedAtMs: null },
      after: { revokedAtMs: expect.any(Number) },
    });
    expect(link).toMatchObject({ actor: { kind: 'anonymous' }, version: null });
    expect(text).not.toMatch(/digest/);
    for (const secret of [made.key, gateway.first.adminToken.reveal(), gateway.first.adminLinkPath.reveal()])
      expect(text).not.toContain(secret.slice(-30));
  });

  it('CFG-5: pages by cursor to the very first entry', async () => {
    const seen: number[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { json }: { json: { items: { seq: number }[]; nextCursor: string | null } } = await gateway.call(
        'GET',
        `/api/audit?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      seen.push(...json.items.map((item) => item.seq));
      cursor = json.nextCursor;
    }
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, i) => seen.length - i));
    for (const cursor of ['0', '-1', 'x', '1.5', ''])
      expect((await gateway.call('GET', `/api/audit?cursor=${cursor}`)).status).toBe(400);
  });

  it('IAM-5: an admin can have the chain recomputed; a change in the database is found', async () => {
    const good = await gateway.call('GET', '/api/audit/verify');
    expect(good.json).toEqual({ entries: expect.any(Number), brokenAt: null, reason: null });
    const owner = await connectPostgres(gateway.urls.postgresOwner, { poolSize: 1, applicationName: 'test' });
    await owner.query(`ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only`);
    await owner.query(`UPDATE audit_log SET record = replace(record, '"one"', '"two"') WHERE seq = 3`);
    await owner.destroy();
    expect((await gateway.call('GET', '/api/audit/verify')).json).toMatchObject({ entries: 2, brokenAt: 3 });
  });
});
