import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { chooseBinaries } from '#libs/stores/embedded-postgres/binaries.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '#libs/stores/embedded-postgres/launch.js';
import type { Secret } from '#libs/platform/secret.js';
import { startOwner, testFolder } from './stores-process.js';

const { folder: root, remove } = testFolder();
const running = new Set<EmbeddedPostgres>();

async function start(
  folder: string,
  more: Partial<Parameters<typeof startEmbeddedPostgres>[0]> = {},
): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({
    folder: path.join(root, folder),
    wanted: 'bundled',
    durable: false,
    lockWaitMs: 0,
    ...more,
  });
  running.add(server);
  return server;
}

async function stop(server: EmbeddedPostgres): Promise<void> {
  running.delete(server);
  await server.stop();
}

async function query<T>(url: Secret | string, text: string): Promise<T[]> {
  const connectionString = typeof url === 'string' ? url : url.reveal();
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5000 });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows as T[];
  } finally {
    await client.end();
  }
}

afterAll(async () => {
  await Promise.all([...running].map((server) => server.stop()));
  remove();
}, 30_000);

describe('embedded PostgreSQL: a running server', () => {
  let server: EmbeddedPostgres;
  beforeAll(async () => {
    server = await start('first');
  }, 30_000);

  it('OPS-1: the run-time role is no superuser, passes no row security and defines nothing', async () => {
    const { app } = server.urls;
    const [role] = await query<object>(
      app,
      `SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user`,
    );
    expect(role).toEqual({ rolsuper: false, rolbypassrls: false, rolcreatedb: false, rolcreaterole: false });
    await expect(query(app, 'CREATE TABLE intruder (a int)')).rejects.toThrow('permission denied');
    await expect(query(app, 'CREATE TEMP TABLE intruder (a int)')).rejects.toThrow('permission denied');
  });

  it('OPS-1: the run-time role may use the rows of what the owner makes, not its definition', async () => {
    const { owner, app } = server.urls;
    await query(owner, 'CREATE TABLE thing (id bigint GENERATED ALWAYS AS IDENTITY, name text)');
    await query(app, `INSERT INTO thing (name) VALUES ('a')`);
    expect(await query(app, 'SELECT name FROM thing')).toEqual([{ name: 'a' }]);
    await expect(query(app, 'DROP TABLE thing')).rejects.toThrow('must be owner');
    await expect(query(app, 'TRUNCATE thing')).rejects.toThrow('permission denied');
    const [role] = await query<object>(owner, `SELECT rolsuper FROM pg_roles WHERE rolname = current_user`);
    expect(role).toEqual({ rolsuper: false });
  });

  it('OPS-1: nobody enters without the password, and only by loopback', async () => {
    const wrong = server.urls.app.reveal().replace(/:[^:@]+@/, ':guess@');
    await expect(query(wrong, 'SELECT 1')).rejects.toThrow('password authentication failed');
    const [setting] = await query<object>(
      server.urls.admin('postgres'),
      `SELECT current_setting('listen_addresses') AS addresses, current_setting('unix_socket_directories') AS sockets`,
    );
    expect(setting).toEqual({ addresses: '127.0.0.1', sockets: '' });
    expect(statSync(path.join(root, 'first/credentials.json')).mode & 0o777).toBe(0o600);
  });

  it('OPS-1: a second starter is told who has the folder', async () => {
    await expect(start('first')).rejects.toThrow(`in use by process ${process.pid}`);
    const other = await startOwner('postgres', path.join(root, 'first'));
    expect(other.said['error']).toContain(`in use by process ${process.pid}`);
  });

  it('OPS-1: the log names no value of a failed statement', async () => {
    await expect(query(server.urls.app, `SELECT 'canary-value'::int`)).rejects.toThrow();
    const log = readFileSync(path.join(root, 'first/server.log'), 'utf8');
    expect(log).not.toMatch(/SELECT|canary-value/);
    expect(log).toContain('ready to accept connections');
  });

  it('OPS-1: data survives a stop, and passwords stay', async () => {
    const before = server.urls.owner.reveal().replace(/:\d+\//, '/');
    await stop(server);
    server = await start('first');
    expect(server.how).toBe('started');
    expect(server.urls.owner.reveal().replace(/:\d+\//, '/')).toBe(before);
    expect(await query(server.urls.app, 'SELECT name FROM thing')).toEqual([{ name: 'a' }]);
  });
});

describe('embedded PostgreSQL: crashes', () => {
  it('OPS-1, OPS-3: a server that outlived its killed owner is taken over', async () => {
    const owner = await startOwner('postgres', path.join(root, 'orphan'));
    await query(owner.said['url'] as string, 'CREATE TABLE kept AS SELECT 1 AS a');
    await owner.killHard();
    const server = await start('orphan');
    expect([server.how, server.pid]).toEqual(['adopted', Number(owner.said['pid'])]);
    expect(await query(server.urls.app, 'SELECT a FROM kept')).toEqual([{ a: 1 }]);
    await stop(server); // whoever holds the folder owns the server, adopted or not
    await expect(query(server.urls.app, 'SELECT 1')).rejects.toThrow();
  }, 20_000);

  it('OPS-1: of two starters of a fresh folder, where an earlier one was interrupted, exactly one runs the server', async () => {
    const leftOver = path.join(root, 'race/data.new');
    mkdirSync(leftOver, { recursive: true });
    writeFileSync(path.join(leftOver, 'PG_VERSION'), '18\n');
    const results = await Promise.allSettled([
      startOwner('postgres', path.join(root, 'race')),
      startOwner('postgres', path.join(root, 'race')),
    ]);
    const owners = results.map(
      (result) => (result as PromiseFulfilledResult<Awaited<ReturnType<typeof startOwner>>>).value,
    );
    const winners = owners.filter((owner) => owner.said['url'] !== undefined);
    const losers = owners.filter((owner) => owner.said['error']?.includes('in use by'));
    expect([winners.length, losers.length]).toEqual([1, 1]);
    await winners[0]?.killHard();
    const server = await start('race');
    expect(server.how).toBe('adopted');
    expect(existsSync(leftOver)).toBe(false);
    await stop(server);
  }, 20_000);

  it('OPS-3, KEY-6: after kill -9 of the server under write every acknowledged row is there', async () => {
    const server = await start('orphan');
    await query(server.urls.owner, 'CREATE TABLE ledger (id int PRIMARY KEY)');
    let acknowledged = 0;
    const writers = Array.from({ length: 4 }, async (_unused, writer) => {
      const client = new pg.Client({ connectionString: server.urls.app.reveal() });
      client.on('error', () => {});
      await client.connect();
      const own: number[] = [];
      try {
        for (let n = 0; ; n++) {
          const id = writer * 1_000_000 + n;
          await client.query('INSERT INTO ledger VALUES ($1)', [id]);
          own.push(id);
          acknowledged++;
        }
      } catch {
        return own;
      }
    });
    while (acknowledged < 300) await new Promise((resolve) => setTimeout(resolve, 5));
    process.kill(server.pid, 'SIGKILL');
    expect(await server.ended).toBe('signal SIGKILL');
    await stop(server);
    const again = await start('orphan'); // at once: backends may still hold the shared memory
    const owed = (await Promise.all(writers)).flat();
    const rows = await query<{ id: number }>(again.urls.app, 'SELECT id FROM ledger');
    const present = new Set(rows.map((row) => row.id));
    expect(owed.length).toBeGreaterThanOrEqual(300);
    expect(owed.filter((id) => !present.has(id))).toEqual([]);
    await stop(again);
  }, 30_000);

  it('OPS-1: a file that names a foreign process keeps no server from starting', async () => {
    const server = await start('race');
    await stop(server);
    const data = path.join(root, 'race/data');
    writeFileSync(path.join(data, 'postmaster.pid'), `${process.pid}\n${data}\n0\n1\n\n\n\nready\n`);
    await stop(await start('race'));
  }, 20_000);

  it('OPS-1: what no waiting mends is reported at once, in the words of the server', async () => {
    const startedAt = performance.now();
    await expect(start('race', { settings: { shared_buffers: 'plenty' } })).rejects.toThrow(/shared_buffers.*plenty/);
    expect(performance.now() - startedAt).toBeLessThan(5000);
    await stop(await start('race')); // and the folder is free again
  }, 20_000);
});

describe('embedded PostgreSQL: which server', () => {
  const folder = path.join(root, 'choice');
  const placement = { folder, home: folder, data: path.join(folder, 'data'), account: null };
  let onPath: string;

  beforeAll(async () => {
    onPath = path.join(root, 'bin of 18');
    mkdirSync(onPath, { recursive: true });
    mkdirSync(folder, { recursive: true });
    const bundled = await chooseBinaries(placement, 'bundled', null);
    symlinkSync(bundled.postgres, path.join(onPath, 'postgres'));
    symlinkSync(bundled.initdb, path.join(onPath, 'initdb'));
  });

  function fake(version: string): string {
    const bin = path.join(root, `bin of ${version}`);
    mkdirSync(bin);
    for (const name of ['postgres', 'initdb']) {
      writeFileSync(path.join(bin, name), `#!/bin/sh\necho "${name} (PostgreSQL) ${version}"\n`);
      chmodSync(path.join(bin, name), 0o755);
    }
    return bin;
  }

  it('CFG-1: one found on PATH is preferred, unless the bundled one is asked for', async () => {
    expect((await chooseBinaries(placement, 'embedded', null, onPath)).origin).toBe('found on PATH');
    expect((await chooseBinaries(placement, 'bundled', null, onPath)).origin).toBe('bundled');
  });

  it('CFG-1: one older than 16, or without initdb beside it, is passed over', async () => {
    const old = fake('15.9');
    expect((await chooseBinaries(placement, 'embedded', null, old)).origin).toBe('bundled');
    const bare = path.join(root, 'bare');
    mkdirSync(bare);
    writeFileSync(path.join(bare, 'postgres'), '#!/bin/sh\necho "postgres (PostgreSQL) 17.1"\n', { mode: 0o755 });
    expect((await chooseBinaries(placement, 'embedded', null, bare)).origin).toBe('bundled');
  });

  it('OPS-3: existing data is opened by the major version that made it, or not at all', async () => {
    const newer = fake('19.1');
    expect((await chooseBinaries(placement, 'embedded', 18, newer)).version).toMatch(/^18\./);
    expect((await chooseBinaries(placement, 'embedded', 19, newer)).version).toBe('19.1');
    await expect(chooseBinaries(placement, 'embedded', 17, newer)).rejects.toThrow(
      /made by PostgreSQL 17.*19\.1.*18\.\d+ \(bundled\).*put a PostgreSQL 17 on PATH/,
    );
  });
});
