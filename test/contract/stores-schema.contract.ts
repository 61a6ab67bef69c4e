import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource, QueryRunner } from 'typeorm';
import { NativePartitioner } from '#libs/stores/partitioner.postgres.js';
import {
  clusterSecret,
  connectPostgres,
  migrate,
  partitionClause,
  timePartitioner,
  timePartitions,
} from '#libs/stores/index.js';
import { migrations } from '#libs/stores/migrations/index.js';
import { startTestPostgres, type TestDatabase, type TestPostgres } from '#libs/stores/testing.js';

const DAY_MS = 86_400_000;
let server: TestPostgres;
let database: TestDatabase;
let owner: DataSource;

beforeAll(async () => {
  server = await startTestPostgres();
}, 30_000);
afterAll(async () => {
  await server?.stop();
}, 30_000);

async function open(): Promise<void> {
  database = await server.createDatabase();
  owner = await connectPostgres(database.ownerUrl, { poolSize: 6, applicationName: 'test' });
}

/** What a migration of a test does, without the unused half of the interface. */
abstract class Step {
  async down(): Promise<void> {}
}

describe('migrations', () => {
  beforeEach(open);
  afterEach(() => owner.destroy());

  it('OPS-2: instances that start together migrate once', async () => {
    const results = await Promise.all([1, 2, 3, 4].map(() => migrate(database.ownerUrl)));
    expect(results.map(({ applied }) => applied.length).sort((a, b) => a - b)).toEqual([0, 0, 0, migrations.length]);
  });

  it('OPS-2: a database migrated by a newer version is left untouched, in words that help', async () => {
    class Newer1760000009999 extends Step {
      async up(runner: QueryRunner): Promise<void> {
        await runner.query('CREATE TABLE from_the_future (a int)');
      }
    }
    await migrate(database.ownerUrl, [Newer1760000009999]);
    await expect(migrate(database.ownerUrl)).rejects.toThrow(
      /migrated by a newer version of Smartflow \(unknown: Newer1760000009999\)/,
    );
    expect(await owner.query(`SELECT to_regclass('cluster_secrets') AS t`)).toEqual([{ t: null }]);
  });

  it('OPS-3: a migration that fails leaves nothing of itself, and those before it stay', async () => {
    class Good1760000000001 extends Step {
      async up(runner: QueryRunner): Promise<void> {
        await runner.query('CREATE TABLE good (a int)');
      }
    }
    class Bad1760000000002 extends Step {
      async up(runner: QueryRunner): Promise<void> {
        await runner.query('CREATE TABLE half (a int)');
        await runner.query('SELECT 1 / 0');
      }
    }
    await expect(migrate(database.ownerUrl, [Good1760000000001, Bad1760000000002])).rejects.toThrow('division by zero');
    expect(await owner.query(`SELECT to_regclass('good')::text AS good, to_regclass('half')::text AS half`)).toEqual([
      { good: 'good', half: null },
    ]);
  });

  it('OPS-2: a busy table is waited for two seconds at a time, then tried again', async () => {
    class Changes1760000000001 extends Step {
      async up(runner: QueryRunner): Promise<void> {
        await runner.query('ALTER TABLE busy ADD COLUMN b int');
      }
    }
    await owner.query('CREATE TABLE busy (a int)');
    const runner = owner.createQueryRunner();
    await runner.startTransaction();
    await runner.query('SELECT * FROM busy');
    const migrating = migrate(database.ownerUrl, [Changes1760000000001]);
    await new Promise((resolve) => setTimeout(resolve, 2600)); // its first attempt has been given up
    await runner.commitTransaction();
    await runner.release();
    expect((await migrating).applied).toEqual(['Changes1760000000001']);
  }, 15_000);
});

describe('cluster secrets', () => {
  beforeEach(open);
  afterEach(() => owner.destroy());

  it('CFG-2: are made once, however many ask at once, and equal for all; the run-time role suffices', async () => {
    await migrate(database.ownerUrl);
    const app = await connectPostgres(database.appUrl, { poolSize: 6, applicationName: 'test' });
    const asked = await Promise.all(
      Array.from({ length: 12 }, (_unused, n) => clusterSecret(n % 2 ? app : owner, 'pepper')),
    );
    expect(new Set(asked.map((secret) => secret.toString('hex'))).size).toBe(1);
    expect(asked[0]).toHaveLength(32);
    expect((await clusterSecret(app, 'cookie')).equals(asked[0] as Buffer)).toBe(false);
    await app.destroy();
  });
});

describe('time partitions (native)', () => {
  const now = Date.UTC(2026, 10, 21, 23, 59, 59);
  const insert = (...times: number[]): Promise<unknown> =>
    Promise.all(
      times.map((ms) => owner.query(`INSERT INTO events (ts, id) VALUES ($1, gen_random_uuid())`, [new Date(ms)])),
    );
  const names = async (): Promise<string[]> => {
    const rows = (await owner.query(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'events'::regclass ORDER BY 1`,
    )) as { name: string }[];
    return rows.map(({ name }) => name);
  };

  beforeEach(async () => {
    await open();
    const runner = owner.createQueryRunner();
    expect(await partitionClause(runner)).toBe('PARTITION BY RANGE (ts)');
    await runner.release();
    await owner.query(
      `CREATE TABLE events (ts timestamptz NOT NULL, id uuid NOT NULL, note text DEFAULT 'x', PRIMARY KEY (ts, id))
       PARTITION BY RANGE (ts)`,
    );
    await owner.query(`CREATE INDEX events_note ON events (note)`);
  });
  afterEach(() => owner.destroy());

  it('OBS-1: ensure makes DEFAULT and a week of days, with the indexes and rights of the table', async () => {
    const partitioner = new NativePartitioner(owner, 'day', () => now);
    await partitioner.ensure('events');
    await partitioner.ensure('events');
    expect(await names()).toEqual([
      'events_default',
      ...['1121', '1122', '1123', '1124', '1125', '1126', '1127', '1128'].map((day) => `events_p2026${day}`),
    ]);
    await insert(now);
    const app = await connectPostgres(database.appUrl, { poolSize: 1, applicationName: 'test' });
    expect(await app.query(`SELECT note, tableoid::regclass::text AS part FROM events`)).toEqual([
      { note: 'x', part: 'events_p20261121' },
    ]);
    await app.destroy();
    const indexes = await owner.query(`SELECT indexname FROM pg_indexes WHERE tablename = 'events_p20261121'`);
    expect(indexes).toHaveLength(2);
    const unattached = await owner.query(
      `SELECT count(*)::int AS n FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
       WHERE i.indrelid = 'events_p20261121'::regclass AND NOT c.relispartition`,
    );
    expect(unattached).toEqual([{ n: 0 }]);
  });

  it('OBS-1: rows that came before their partition move into it; absurd times stay in DEFAULT and are counted', async () => {
    const partitioner = new NativePartitioner(owner, 'day', () => now);
    await owner.query(`CREATE TABLE events_default PARTITION OF events DEFAULT`);
    await insert(now, now - 40 * DAY_MS, now + 2 * DAY_MS, Date.UTC(2999, 0, 1));
    const { made, strays } = await partitioner.premake('events', 3);
    expect(made).toEqual(['20261121', '20261122', '20261123', '20261124', '20261012'].map((day) => `events_p${day}`));
    expect(strays).toBe(1);
    expect(await owner.query(`SELECT count(*)::int AS n FROM events`)).toEqual([{ n: 4 }]);
    expect(await partitioner.premake('events', 3)).toEqual({ made: [], strays: 1 });
  });

  it('OBS-1: retention drops whole days that ended, none that still counts', async () => {
    const partitioner = new NativePartitioner(owner, 'day', () => now);
    await owner.query(`CREATE TABLE events_default PARTITION OF events DEFAULT`);
    await insert(now - 3 * DAY_MS, now - 2 * DAY_MS, now - DAY_MS);
    await partitioner.premake('events', 0);
    expect(await partitioner.dropBefore('events', now - DAY_MS)).toBe(2);
    expect(await names()).toEqual(['events_default', 'events_p20261120', 'events_p20261121']);
  });

  it('OPS-2: instances may work on it at once, in any time zone, while rows come in', async () => {
    await owner.query(`CREATE TABLE events_default PARTITION OF events DEFAULT`);
    await owner.query(`ALTER ROLE CURRENT_USER IN DATABASE ${databaseName()} SET timezone = 'Asia/Kathmandu'`);
    const elsewhere = await connectPostgres(database.ownerUrl, { poolSize: 3, applicationName: 'test' });
    let writing = true;
    let written = 0;
    const writer = (async () => {
      while (writing) {
        await insert(now + (written % 5) * DAY_MS);
        written++;
      }
    })();
    await Promise.all([
      new NativePartitioner(owner, 'day', () => now).premake('events', 10),
      new NativePartitioner(elsewhere, 'day', () => now).premake('events', 10),
    ]);
    writing = false;
    await writer;
    await new NativePartitioner(elsewhere, 'day', () => now).premake('events', 10);
    await elsewhere.destroy();
    expect((await names()).length).toBe(12);
    expect(await owner.query(`SELECT count(*)::int AS n FROM events`)).toEqual([{ n: written }]);
    expect(await owner.query(`SELECT count(*)::int AS n FROM events_default`)).toEqual([{ n: 0 }]);
  }, 20_000);

  it('OBS-1: a writer makes the months its rows need, and asks again only for new times', async () => {
    await owner.query(`CREATE TABLE events_default PARTITION OF events DEFAULT`);
    const today = Date.now();
    const partitions = timePartitions(owner, 'events', 'month');
    await partitions.ensure(today - 31 * DAY_MS, today);
    const made = await names();
    expect(made.length).toBeGreaterThanOrEqual(3);
    expect(made[1]).toMatch(/^events_p\d{6}$/);
    await partitions.ensure(Date.UTC(1970, 0, 1), Date.UTC(2999, 0, 1)); // an absurd clock makes no flood of partitions
    expect((await names()).length).toBeLessThan(45);
    expect(await partitions.dropBefore(today - 31 * DAY_MS)).toBeGreaterThan(20);
  }, 20_000);

  it('OBS-1: the level is native without the extension, and a table without partitions is refused', async () => {
    await owner.query(`CREATE TABLE flat (ts timestamptz)`);
    const partitioner = await timePartitioner(owner);
    expect(partitioner.level).toBe('native');
    await expect(partitioner.ensure('flat')).rejects.toThrow('not partitioned');
    await expect(partitioner.ensure('events; DROP TABLE events')).rejects.toThrow('not a plain table name');
  });
});

function databaseName(): string {
  return new URL(database.ownerUrl.reveal()).pathname.slice(1);
}
