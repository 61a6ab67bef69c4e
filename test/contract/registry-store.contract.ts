import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { connectPostgres, migrate } from '#libs/stores/index.js';
import { startTestPostgres, type TestDatabase, type TestPostgres } from '#libs/stores/testing.js';
import {
  PostgresRegistryStore,
  verifyAudit,
  type AuditedChange,
  type DocumentChange,
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

  describe('several changes at once', () => {
    const content = (name: string, team: string | null = null, uniqueName: string | null = null) => ({
      name,
      uniqueName,
      body: { colour: 'red', team },
    });
    const creation = (id: string, more: Parameters<typeof content> = [id]): DocumentChange => ({
      op: 'create',
      ref: ref(id),
      content: content(...more),
      audit: audit('key.create'),
    });

    it('IAM-5: all are made, each with its version and audit row, and seen by who follows', async () => {
      await create('old');
      const before = await store.head();
      const made = await store.changeAll(async () => [
        creation('a'),
        { op: 'remove', ref: ref('old'), expectedVersion: null, audit: audit('key.delete') },
        {
          op: 'update',
          ref: ref('a'),
          expectedVersion: null,
          decide: (current) => ({ ...current, body: { colour: 'blue' } }),
          audit: audit('key.update'),
        },
      ]);
      expect(made.map(({ id, version }) => [id, version])).toEqual([
        ['a', before.version + 1],
        ['old', before.version + 2],
        ['a', before.version + 3],
      ]);
      const delta = await store.changesSince(before.version);
      expect([delta.head.version, delta.documents.map(({ id }) => id), delta.removed.map(({ id }) => id)]).toEqual([
        before.version + 3,
        ['a'],
        ['old'],
      ]);
      expect(await verifyAudit(app, ORG)).toMatchObject({ brokenAt: null, entries: 4 });
    });

    it('IAM-5: one that cannot be made undoes them all, versions and audit rows included', async () => {
      await create('there');
      const before = await store.head();
      const rows = async (): Promise<unknown> => app.query('SELECT count(*) FROM audit_log');
      const audited = await rows();
      for (const last of [
        creation('there'),
        { op: 'remove', ref: ref('gone'), expectedVersion: null, audit: audit('key.delete') } as const,
        { op: 'remove', ref: ref('there'), expectedVersion: 999, audit: audit('key.delete') } as const,
      ]) {
        await expect(store.changeAll(async () => [creation('new'), last])).rejects.toThrow();
      }
      await expect(
        store.changeAll(async () => {
          throw new RangeError('changed my mind');
        }),
      ).rejects.toThrow('changed my mind');
      expect([await store.head(), await rows(), await store.get(ref('new'))]).toEqual([before, audited, null]);
    });

    it('a plan sees the registry as it stands, and nothing comes between its look and the commit', async () => {
      await store.changeAll(async () => [
        creation('k1', ['k1', 'blue', 'k1']),
        creation('k2', ['k2', 'blue']),
        creation('k3', ['k3', 'red']),
        creation('k4', ['k4', null]),
      ]);
      await store.changeAll(async (look) => {
        expect((await look.get(ref('k1')))?.name).toBe('k1');
        expect(await look.get(ref('nothing'))).toBeNull();
        expect((await look.named(ORG, 'key', ['k1', 'k2'])).map(({ id }) => id)).toEqual(['k1']);
        expect((await look.holding(ORG, 'key', { team: 'blue' }, 10)).map(({ id }) => id)).toEqual(['k1', 'k2']);
        expect(await look.holding(ORG, 'key', { team: 'blue' }, 1)).toHaveLength(1);
        expect((await look.holding(ORG, 'key', { team: null }, 10)).map(({ id }) => id)).toEqual(['k4']);
        expect((await look.holding(ORG, 'key', { team: 'red', colour: 'red' }, 10)).map(({ id }) => id)).toEqual([
          'k3',
        ]);
        expect(await look.holding(ORG, 'key', { team: "x' OR '1'='1" }, 10)).toEqual([]);
        return [];
      });
      // Sixteen writers each make the next number from what they see: none is made twice.
      await Promise.all(
        Array.from({ length: 16 }, () =>
          store.changeAll(async (look) => {
            const seen = await look.holding(ORG, 'key', { team: 'counted' }, 100);
            return [creation(`n${seen.length}`, [`n${seen.length}`, 'counted'])];
          }),
        ),
      );
      const ids = (await store.changesSince(0)).documents.map(({ id }) => id).filter((id) => /^n\d+$/.test(id));
      expect(new Set(ids).size).toBe(16);
      expect(ids).toHaveLength(16);
    });

    it('writers of one document and of many do not lock each other out', async () => {
      for (const id of ['a', 'b', 'c']) await create(id);
      const paint = (id: string): DocumentChange => ({
        op: 'update',
        ref: ref(id),
        expectedVersion: null,
        decide: (current) => ({ name: current.name, body: { colour: String(Math.random()) } }),
        audit: audit('key.update'),
      });
      const before = (await store.head()).version;
      await Promise.all(
        Array.from({ length: 24 }, async (_, n) => {
          if (n % 3 === 0) await store.changeAll(async () => [paint('a'), paint('b'), paint('c')]);
          else if (n % 3 === 1) await store.changeAll(async () => [paint('c'), paint('b'), paint('a')]);
          else await store.changeAll(async () => [paint('b')]);
        }),
      );
      expect((await store.head()).version).toBe(before + 8 * 7);
    });
  });
});
