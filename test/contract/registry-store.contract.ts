import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { connectPostgres, migrate } from '#libs/stores/index.js';
import { startTestPostgres, type TestDatabase, type TestPostgres } from '#libs/stores/testing.js';
import {
  PostgresRegistryStore,
  verifyAudit,
  type AuditedChange,
  type DocumentRef,
  type RegistryDocument,
} from '#libs/registry/index.js';

type Source = Awaited<ReturnType<typeof connectPostgres>>;

const ORG = 'org_default';
const ref = (id: string): DocumentRef => ({ orgId: ORG, kind: 'key', id });
const audit = (action: string): AuditedChange => ({
  action,
  origin: {
    actor: { kind: 'token', id: 'tok_1', name: 'ci' },
    ip: '127.0.0.1',
    userAgent: 'jest',
    requestId: 'req_1',
  },
  view: (document) => ({ name: document.name, colour: document.body['colour'] }),
});

describe('RegistryStore on PostgreSQL', () => {
  let server: TestPostgres;
  let owner: Source;
  let app: Source;
  let store: PostgresRegistryStore;

  beforeAll(async () => {
    server = await startTestPostgres();
  }, 60_000);
  afterAll(() => server.stop());

  let database: TestDatabase;
  beforeEach(async () => {
    database = await server.createDatabase();
    await migrate(database.ownerUrl);
    owner = await connectPostgres(database.ownerUrl, { poolSize: 2, applicationName: 'test' });
    app = await connectPostgres(database.appUrl, { poolSize: 8, applicationName: 'test' });
    store = new PostgresRegistryStore(app);
  }, 30_000);
  afterEach(async () => {
    await owner.destroy();
    await app.destroy();
  });

  const create = (id: string, colour = 'red'): Promise<RegistryDocument> =>
    store.create(ref(id), { name: id, body: { colour, digest: 'canary-digest' } }, audit('key.create'));

  it('KEY-1: every change takes the next version, deletions included', async () => {
    expect((await store.head()).version).toBe(0);
    const first = await create('a');
    expect(first).toMatchObject({ orgId: ORG, kind: 'key', id: 'a', version: 1, body: { colour: 'red' } });
    await create('b');
    const changed = await store.update(
      ref('a'),
      1,
      (now) => ({ name: 'x', body: { ...now.body, colour: 'blue' } }),
      audit('key.update'),
    );
    expect(changed).toMatchObject({ version: 3, name: 'x', body: { colour: 'blue' } });
    await store.remove(ref('b'), null, audit('key.delete'));
    expect((await store.head()).version).toBe(4);
    const delta = await store.changesSince(1);
    expect(delta.full).toBe(false);
    expect(delta.documents.map((document) => document.id)).toEqual(['a']);
    expect(delta.removed).toEqual([ref('b')]);
    const all = await store.changesSince(0);
    expect(all.full).toBe(true);
    expect(all.documents.map((document) => document.id)).toEqual(['a']);
    expect(all.removed).toEqual([]);
  });

  it('IAM-5: a change made on an old reading is a conflict and leaves no trace', async () => {
    await create('a');
    await store.update(ref('a'), 1, (now) => ({ name: 'b', body: now.body }), audit('key.update'));
    await expect(store.update(ref('a'), 1, (now) => ({ name: 'c', body: now.body }), audit('x'))).rejects.toMatchObject(
      {
        code: 'conflict',
      },
    );
    await expect(store.remove(ref('a'), 1, audit('x'))).rejects.toMatchObject({ code: 'conflict' });
    await expect(store.remove(ref('nobody'), null, audit('x'))).rejects.toMatchObject({ code: 'not_found' });
    expect((await store.head()).version).toBe(2);
    expect(await verifyAudit(owner, ORG)).toEqual({ entries: 2, brokenAt: null, reason: null });
  });

  it('deciding to change nothing writes nothing', async () => {
    const made = await create('a');
    expect(await store.update(ref('a'), null, (now) => now, audit('x'))).toEqual(made);
    expect((await store.head()).version).toBe(1);
  });

  it('an error inside a decision undoes everything', async () => {
    await create('a');
    const boom = new Error('boom');
    const decide = (): never => {
      throw boom;
    };
    await expect(store.update(ref('a'), null, decide, audit('x'))).rejects.toMatchObject({ cause: boom });
    expect((await store.head()).version).toBe(1);
  });

  it('unique names are unique among the living only', async () => {
    const named = (id: string): Promise<RegistryDocument> =>
      store.create(ref(id), { name: 'n', uniqueName: 'n', body: {} }, audit('x'));
    await named('a');
    await expect(named('b')).rejects.toMatchObject({ code: 'conflict' });
    await store.remove(ref('a'), null, audit('x'));
    await expect(named('b')).resolves.toMatchObject({ name: 'n' });
  });

  it('IAM-5: forty writers at once get forty versions and one unbroken chain', async () => {
    const made = await Promise.all(Array.from({ length: 40 }, (_, i) => create(`k${i}`)));
    expect(new Set(made.map((document) => document.version)).size).toBe(40);
    expect((await store.head()).version).toBe(40);
    expect(await verifyAudit(app, ORG)).toEqual({ entries: 40, brokenAt: null, reason: null });
  });

  it('IAM-5: the log says who, what, before, after, from where and when, and holds no digest', async () => {
    await create('a');
    await store.update(
      ref('a'),
      null,
      (now) => ({ name: 'a', body: { ...now.body, colour: 'blue' } }),
      audit('key.update'),
    );
    const rows = (await app.query(`SELECT record FROM audit_log ORDER BY seq`)) as { record: string }[];
    expect(JSON.parse(rows[1]?.record ?? '')).toEqual({
      seq: 2,
      at: expect.stringMatching(/^\d{4}-/),
      orgId: ORG,
      action: 'key.update',
      actor: { kind: 'token', id: 'tok_1', name: 'ci' },
      object: { kind: 'key', id: 'a', name: 'a' },
      version: 2,
      ip: '127.0.0.1',
      userAgent: 'jest',
      requestId: 'req_1',
      before: { name: 'a', colour: 'red' },
      after: { name: 'a', colour: 'blue' },
    });
    expect(JSON.stringify(rows)).not.toContain('canary-digest');
  });

  it('IAM-5: the run-time role can neither change nor remove entries, and not even the owner by accident', async () => {
    await create('a');
    for (const sql of [
      `UPDATE audit_log SET action = 'x'`,
      `DELETE FROM audit_log`,
      `TRUNCATE audit_log`,
      `ALTER TABLE audit_log DISABLE TRIGGER ALL`,
    ]) {
      await expect(app.query(sql)).rejects.toMatchObject({ driverError: { code: '42501' } });
    }
    await expect(owner.query(`DELETE FROM audit_log`)).rejects.toMatchObject({ driverError: { code: '42501' } });
    await expect(owner.query(`TRUNCATE audit_log`)).rejects.toMatchObject({ driverError: { code: '42501' } });
  });

  it.each([
    ['a changed record', `UPDATE audit_log SET record = replace(record, 'ci', 'xx') WHERE seq = 2`, 2],
    ['a changed column', `UPDATE audit_log SET actor_id = 'someone' WHERE seq = 3`, 3],
    ['a changed time', `UPDATE audit_log SET at = at - interval '1 day' WHERE seq = 1`, 1],
    ['a removed entry', `DELETE FROM audit_log WHERE seq = 2`, 2],
    [
      'a removed and renumbered entry',
      `DELETE FROM audit_log WHERE seq = 2; UPDATE audit_log SET seq = seq - 1 WHERE seq > 2`,
      2,
    ],
    ['a cut-off end', `DELETE FROM audit_log WHERE seq >= 4`, 4],
    ['everything gone', `DELETE FROM audit_log`, 1],
  ])('IAM-5: %s is found', async (_what, sql, brokenAt) => {
    for (const id of ['a', 'b', 'c', 'd']) await create(id);
    await owner.query(`ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only`);
    await owner.query(sql);
    expect(await verifyAudit(owner, ORG)).toMatchObject({ brokenAt });
  });

  it('a restored database is lifted above what was seen, and says that older readers must read everything', async () => {
    await create('a');
    const head = await store.raiseAbove(50);
    expect(head.version).toBe(51);
    expect(await store.raiseAbove(50)).toEqual(head); // once is enough
    expect((await store.changesSince(50)).full).toBe(true);
    expect((await store.changesSince(51)).full).toBe(false);
    expect((await create('b')).version).toBe(52);
    expect(await verifyAudit(owner, ORG)).toMatchObject({ brokenAt: null });
  });

  it('OPS-3: a database that does not answer is store_unavailable, without its address or any SQL', async () => {
    const away = await connectPostgres(database.appUrl, { poolSize: 1, applicationName: 'test' });
    await away.destroy();
    const error = await new PostgresRegistryStore(away).head().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'store_unavailable' });
    expect((error as Error).message).not.toMatch(/127\.0\.0\.1|SELECT/);
  });
});
