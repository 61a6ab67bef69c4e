import path from 'node:path';
import { rm } from 'node:fs/promises';
import { createRedis, redisReady } from '#libs/stores/index.js';
import { startTestPostgres, startTestRedis, type TestPostgres, type TestRedis } from '#libs/stores/testing.js';
import { runCli, temporaryDataDir } from '../harness.js';

let postgres: TestPostgres;
let redis: TestRedis;
let folder: string;
let env: Record<string, string>;

beforeAll(async () => {
  [postgres, redis, folder] = await Promise.all([startTestPostgres(), startTestRedis(), temporaryDataDir()]);
  env = {
    DATABASE_URL: postgres.ownerUrl.reveal(),
    REDIS_URL: redis.url.reveal(),
    SMARTFLOW_DATA_DIR: folder,
    SMARTFLOW_PORT: '0',
  };
}, 60_000);
afterAll(async () => {
  await Promise.all([postgres?.stop(), redis?.stop()]);
  await rm(folder, { recursive: true, force: true });
}, 30_000);

it('KEY-4: a Redis that may drop counters is named by the doctor and refused by every start', async () => {
  const good = await runCli(['doctor'], { env });
  expect(good.stdout).toMatch(/^ok {4}Redis/m);
  expect(good.stdout).toMatch(/^ok {4}Spool/m);
  const client = createRedis(redis.url, 'background');
  await redisReady(client, redis.url);
  await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
  client.disconnect();
  const doctor = await runCli(['doctor'], { env });
  expect(doctor.code).toBe(1);
  expect(doctor.stdout).toMatch(/^FAIL {2}Redis .*allkeys-lru.*noeviction/m);
  for (const command of ['serve', 'gateway']) {
    if (command === 'gateway') expect((await runCli(['migrate'], { env })).code).toBe(0);
    const started = await runCli([command], { env });
    expect([command, started.code]).toEqual([command, 1]);
    expect(started.stderr).toContain('allkeys-lru');
  }
}, 120_000);

it('KEY-6: a data folder too long for the sockets in the spool is named by the doctor', async () => {
  const long = path.join(folder, 'x'.repeat(100));
  const { code, stdout } = await runCli(['doctor'], { env: { ...env, SMARTFLOW_DATA_DIR: long } });
  expect(code).toBe(1);
  expect(stdout).toMatch(/^FAIL {2}Spool .*shorter path/m);
}, 60_000);
