import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { clusterSecret, connectPostgres, createRedis, migrate, redisReady } from '#libs/stores/index.js';
import { startTestPostgres, startTestRedis, type TestPostgres, type TestRedis } from '#libs/stores/testing.js';

describe('servers for tests', () => {
  let postgres: TestPostgres;
  let redis: TestRedis;
  beforeAll(async () => {
    [postgres, redis] = await Promise.all([startTestPostgres(), startTestRedis()]);
  }, 30_000);
  afterAll(async () => {
    await Promise.all([postgres?.stop(), redis?.stop()]);
  }, 30_000);

  it('gives every test a database of its own that can be migrated', async () => {
    const { ownerUrl, appUrl } = await postgres.createDatabase();
    const { applied } = await migrate(ownerUrl);
    expect(applied[0]).toBe('Cluster1760000000000');
    expect((await migrate(ownerUrl)).applied).toEqual([]);
    const source = await connectPostgres(appUrl, { poolSize: 2, applicationName: 'test' });
    expect(await clusterSecret(source, 'pepper')).toHaveLength(32);
    await source.destroy();
  });

  it('gives a Redis that takes commands', async () => {
    const client = await redisReady(createRedis(redis.url, 'commands'), redis.url);
    expect(await client.set('a', 'b')).toBe('OK');
    expect(await client.get('a')).toBe('b');
    client.disconnect();
  });
});
