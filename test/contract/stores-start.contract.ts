import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { Injectable, Inject, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import { Secret } from '#libs/platform/secret.js';
import { checkMongo, checkPostgres, checkRedis } from '#libs/stores/check-external.js';
import { freePort } from '#libs/stores/processes.js';
import {
  connectPostgres,
  createRedis,
  POSTGRES,
  REDIS,
  redisReady,
  startStores,
  storeHealth,
  StoresModule,
  type RunningStores,
  type StoreUrls,
} from '#libs/stores/index.js';
import { startOwner, testFolder } from './stores-process.js';

const { folder: root, remove } = testFolder();
const dataDir = path.join(root, 'data dir');
const BUNDLED = { postgres: 'bundled', redis: 'bundled', mongodb: null } as const;

let stores: RunningStores;
const said: string[] = [];
const lost: string[] = [];

beforeAll(async () => {
  stores = await startStores({ dataDir, stores: BUNDLED, onProgress: (line) => said.push(line) });
  stores.onFailure((store, why) => lost.push(`${store}: ${why}`));
}, 30_000);

afterAll(async () => {
  await stores?.stop();
  remove();
}, 60_000);

/** Process id in the first line of a file of the data folder. */
function pidIn(file: string): number {
  return Number.parseInt(readFileSync(path.join(dataDir, file), 'utf8'), 10);
}

async function until(met: () => boolean | Promise<boolean>, withinMs: number): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  while (!(await met())) {
    if (performance.now() > giveUpAt) throw new Error('did not come about');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function query(url: Secret, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url.reveal(), connectionTimeoutMillis: 2000 });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows as unknown[];
  } finally {
    await client.end();
  }
}

describe('start of the stores', () => {
  it('OPS-1: one call gives URLs of working stores and a line about each, without secrets', async () => {
    expect(await query(stores.urls.postgres, 'SELECT current_user::text AS me')).toEqual([{ me: 'smartflow_app' }]);
    expect(await query(stores.urls.postgresOwner, 'SELECT current_user::text AS me')).toEqual([
      { me: 'smartflow_owner' },
    ]);
    const { postgres, redis, archive } = stores.descriptions;
    expect(postgres).toMatch(/^embedded PostgreSQL 18\.\d+ \(bundled\)/);
    expect(redis).toMatch(/^embedded Valkey .*snapshot every 5 s/);
    expect(archive).toBe('bodies in PostgreSQL');
    expect(JSON.stringify([stores.urls, stores.descriptions, said])).not.toMatch(/:\/\/|[\w-]{32}/);
  });

  it('CFG-2: a second start on the same data folder names the process that has it', async () => {
    await expect(startStores({ dataDir, stores: BUNDLED })).rejects.toThrow(
      `${dataDir} is in use by process ${process.pid}: stop it, or use another folder`,
    );
  });

  it('OPS-3: killed servers are started again on their addresses, and clients find them', async () => {
    const redis = await redisReady(createRedis(stores.urls.redis, 'background'), stores.urls.redis);
    const source = await connectPostgres(stores.urls.postgresOwner, { poolSize: 2, applicationName: 'test' });
    await source.query('CREATE TABLE survives AS SELECT 1 AS a');
    process.kill(pidIn('postgres/data/postmaster.pid'), 'SIGKILL');
    process.kill(pidIn('redis/wasm/.lock.pid'), 'SIGKILL');
    const works = (): Promise<boolean> =>
      Promise.all([source.query('SELECT a FROM survives'), redis.set('back', '1')]).then(
        () => true,
        () => false,
      );
    await until(async () => !(await works()), 5000);
    await until(works, 20_000);
    await until(() => said.filter((line) => line.includes('was started again')).length === 2, 5000);
    expect(lost).toEqual([]);
    redis.disconnect();
    await source.destroy();
  }, 40_000);

  it('OPS-3: health is known within a second, also of a frozen store', async () => {
    const redis = await redisReady(createRedis(stores.urls.redis, 'background'), stores.urls.redis);
    const postgres = await connectPostgres(stores.urls.postgres, { poolSize: 1, applicationName: 'test' });
    expect(await storeHealth({ postgres, redis })).toMatchObject({ postgres: { state: 'up' }, redis: { state: 'up' } });
    const host = pidIn('redis/wasm/.lock.pid');
    process.kill(host, 'SIGSTOP');
    const startedAt = performance.now();
    const health = await storeHealth({ postgres, redis }, 300);
    process.kill(host, 'SIGCONT');
    expect(health).toMatchObject({
      postgres: { state: 'up' },
      redis: { state: 'down', reason: 'no answer within 300 ms' },
    });
    expect(performance.now() - startedAt).toBeLessThan(1000);
    await postgres.destroy();
    expect(await storeHealth({ postgres, redis })).toMatchObject({ postgres: { state: 'down' } });
    redis.disconnect();
  }, 20_000);

  it('OPS-2: the Nest module provides both connections and closes them on shutdown', async () => {
    @Injectable()
    class Reader {
      constructor(
        @Inject(POSTGRES) readonly postgres: DataSource,
        @Inject(REDIS) readonly redis: Redis,
      ) {}
    }
    @Module({ providers: [Reader], exports: [Reader] })
    class Feature {}
    const module = await Test.createTestingModule({
      imports: [
        StoresModule.forRoot(stores.urls, { role: 'app', postgres: { poolSize: 1, applicationName: 'test' } }),
        Feature,
      ],
    }).compile();
    const app = await module.init();
    const { postgres, redis } = app.get(Reader);
    expect(await postgres.query('SELECT 1 AS a')).toEqual([{ a: 1 }]);
    expect(await redis.ping()).toBe('PONG');
    await app.close();
    expect(postgres.isInitialized).toBe(false);
    await until(() => redis.status === 'end', 2000);
  }, 20_000);

  it('CFG-1: external URLs are used as given and left running', async () => {
    const external: StoreUrls = stores.urls;
    const other = await startStores({
      dataDir: path.join(root, 'other'),
      stores: { postgres: external.postgresOwner, redis: external.redis, mongodb: null },
    });
    expect(other.urls.postgres).toBe(external.postgresOwner);
    expect(other.urls.postgresOwner).toBe(external.postgresOwner);
    expect(other.descriptions.postgres).toMatch(/^PostgreSQL 18\.\d+ at 127\.0\.0\.1:\d+$/);
    expect(other.descriptions.redis).toMatch(/^Valkey [\d.]+ at 127\.0\.0\.1:\d+$/);
    await other.stop();
    expect(await query(external.postgres, 'SELECT 1 AS a')).toEqual([{ a: 1 }]);
  }, 20_000);

  it('OPS-1, OPS-3: the data folder of a killed process is taken over, with all that was acknowledged', async () => {
    const folder = path.join(root, 'taken over');
    const owner = await startOwner('stores', folder);
    await query(new Secret(owner.said['postgres'] as string), 'CREATE TABLE acknowledged AS SELECT 7 AS n');
    const redis = createRedis(new Secret(owner.said['redis'] as string), 'background');
    await redisReady(redis, new Secret(owner.said['redis'] as string));
    await redis.set('acknowledged', 'yes');
    redis.disconnect();
    await owner.killHard();
    const next = await startStores({ dataDir: folder, stores: BUNDLED });
    expect(next.descriptions.postgres).toContain('taken over from an earlier start');
    expect(await query(next.urls.postgres, 'SELECT n FROM acknowledged')).toEqual([{ n: 7 }]);
    const client = await redisReady(createRedis(next.urls.redis, 'background'), next.urls.redis);
    expect(await client.get('acknowledged')).toBe('yes');
    client.disconnect();
    await next.stop();
    await expect(query(next.urls.postgres, 'SELECT 1')).rejects.toThrow();
  }, 40_000);
});

describe('external stores that cannot be used', () => {
  const canary = 'canary-Pa55word';

  it('CFG-1: an unreachable one is named by host and port, never with its password', async () => {
    const port = await freePort();
    const at = (scheme: string): Secret => new Secret(`${scheme}://u:${canary}@127.0.0.1:${port}/0`);
    const attempts = [
      { name: 'PostgreSQL', check: checkPostgres(at('postgres'), 100) },
      { name: 'Redis', check: checkRedis(at('redis'), 100) },
      { name: 'MongoDB', check: checkMongo(at('mongodb'), 100) },
    ];
    await Promise.all(
      attempts.map(async ({ name, check }) => {
        const error = (await check.catch((reason: unknown) => reason)) as Error;
        expect(error.message).toContain(`${name} at 127.0.0.1:${port}`);
        expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain(canary);
      }),
    );
  }, 15_000);

  it('CFG-1: a wrong password is final and not tried for ten seconds', async () => {
    const wrong = (url: Secret): Secret => new Secret(url.reveal().replace(/:[^:@]+@/, `:${canary}@`));
    const startedAt = performance.now();
    await expect(checkPostgres(wrong(stores.urls.postgres))).rejects.toThrow('password authentication failed');
    await expect(checkRedis(wrong(stores.urls.redis))).rejects.toThrow(/WRONGPASS/);
    expect(performance.now() - startedAt).toBeLessThan(8000);
  }, 20_000);

  it('OPS-3: something that accepts and never answers is given up in time', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const startedAt = performance.now();
    await Promise.all([
      expect(checkPostgres(new Secret(`postgres://u:p@127.0.0.1:${port}/x`), 100)).rejects.toThrow(`127.0.0.1:${port}`),
      expect(checkRedis(new Secret(`redis://127.0.0.1:${port}`), 100)).rejects.toThrow(`127.0.0.1:${port}`),
    ]);
    expect(performance.now() - startedAt).toBeLessThan(8000);
    silent.close();
  }, 15_000);
});
