import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectPostgres, createRedis, migrate, redisReady } from '#libs/stores/index.js';
import { startTestPostgres, startTestRedis, type TestPostgres, type TestRedis } from '#libs/stores/testing.js';
import { systemClock } from '#libs/platform/clock.js';
import {
  PollingRegistryFeed,
  PostgresRegistryStore,
  RedisRegistryHints,
  RedisRegistryMirror,
  RegistryWriter,
  type AuditedChange,
  type FeedEvent,
  type RegistryDocument,
  type RegistryStore,
} from '#libs/registry/index.js';

type Source = Awaited<ReturnType<typeof connectPostgres>>;
type Redis = ReturnType<typeof createRedis>;

const audit: AuditedChange = {
  action: 'test',
  origin: { actor: { kind: 'system', id: '', name: 'test' }, ip: null, userAgent: null, requestId: null },
  view: () => null,
};
const ref = (id: string) => ({ orgId: 'org_default', kind: 'key' as const, id });
const REGISTRY_KEYS = ['sf:{registry}:head', 'sf:{registry}:docs', 'sf:{registry}:index'];

async function until(what: string, condition: () => boolean | Promise<boolean>, timeoutMs = 5_000): Promise<void> {
  const giveUpAt = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > giveUpAt) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(10);
  }
}

describe('RegistryFeed on PostgreSQL and Redis', () => {
  let server: TestPostgres;
  let redisServer: TestRedis;
  let redis: Redis;
  let other: Redis; // not the feed's: empties, restores and pauses the server
  let source: Source;
  let database: Awaited<ReturnType<TestPostgres['createDatabase']>>;
  let store: PostgresRegistryStore;
  let mirror: RedisRegistryMirror;
  const open: (() => Promise<unknown> | void)[] = [];

  beforeAll(async () => {
    [server, redisServer] = await Promise.all([startTestPostgres(), startTestRedis()]);
    [redis, other] = (await Promise.all(
      [0, 1].map(() => redisReady(createRedis(redisServer.url, 'background'), redisServer.url)),
    )) as [Redis, Redis];
  }, 60_000);
  afterAll(async () => {
    redis.disconnect();
    other.disconnect();
    await Promise.all([server.stop(), redisServer.stop()]);
  });

  beforeEach(async () => {
    await other.flushall();
    database = await server.createDatabase();
    await migrate(database.ownerUrl);
    source = await connectPostgres(database.appUrl, { poolSize: 6, applicationName: 'test' });
    store = new PostgresRegistryStore(source);
    mirror = new RedisRegistryMirror(redis);
  }, 30_000);
  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close();
    await source.destroy();
  }, 30_000);

  interface Replica {
    readonly feed: PollingRegistryFeed;
    readonly writer: RegistryWriter;
    readonly events: FeedEvent[];
    ids(): string[];
  }
  async function replica(
    instanceId: string,
    options: { pollMs?: number; graceMs?: number; hints?: boolean; store?: RegistryStore } = {},
  ): Promise<Replica> {
    const events: FeedEvent[] = [];
    let hints: RedisRegistryHints | null = null;
    if (options.hints === true) {
      const subscriber = await redisReady(createRedis(redisServer.url, 'subscriber'), redisServer.url);
      open.push(() => subscriber.disconnect());
      hints = new RedisRegistryHints(subscriber);
    }
    const feed = new PollingRegistryFeed({
      store: options.store ?? store,
      mirror,
      hints,
      clock: systemClock,
      instanceId,
      onEvent: (event) => events.push(event),
      pollMs: options.pollMs ?? 100,
      ...(options.graceMs === undefined ? {} : { graceMs: options.graceMs }),
    });
    await feed.start();
    open.push(() => feed.stop());
    const ids = (): string[] => [...feed.current().all('key')].map((document) => document.id).sort();
    return { feed, writer: new RegistryWriter(store, mirror, feed), events, ids };
  }
  const create = (to: { create: RegistryWriter['create'] }, id: string, name = id): Promise<RegistryDocument> =>
    to.create(ref(id), { name, body: { note: `of ${id}` } }, audit);

  it('KEY-1: a change is seen by its own replica at once and by the others within a poll', async () => {
    const one = await replica('one');
    const two = await replica('two');
    await create(one.writer, 'a');
    expect(one.ids()).toEqual(['a']);
    await until('two follows', () => two.ids().length === 1);
    const made = two.feed.current().get('org_default', 'key', 'a');
    expect(made).toMatchObject({ name: 'a', version: 1, body: { note: 'of a' } });
    await one.writer.update(ref('a'), 1, (now) => ({ name: 'b', body: now.body }), audit);
    await create(one.writer, 'c');
    await one.writer.remove(ref('c'), null, audit);
    await until('two follows', () => two.feed.current().version === 4);
    expect(two.ids()).toEqual(['a']);
    expect(two.feed.current().get('org_default', 'key', 'a')?.name).toBe('b');
    expect(two.feed.health()).toMatchObject({ source: 'redis', blind: false });
  });

  it('a hint beats the poll', async () => {
    const one = await replica('one', { pollMs: 60_000 });
    const two = await replica('two', { pollMs: 60_000, hints: true });
    await sleep(50);
    await create(one.writer, 'a');
    await until('two heard of it', () => two.ids().length === 1, 2_000);
  });

  it('wait=applied: answers when every living replica runs the version, and says who lags', async () => {
    const one = await replica('one');
    await replica('two');
    const made = await create(one.writer, 'a');
    expect(await one.writer.waitApplied(made.version)).toEqual({ replicas: 2, applied: 2 });
    await mirror.announce('asleep', 0);
    expect(await one.writer.waitApplied(made.version, 200)).toEqual({ replicas: 3, applied: 2 });
  });

  it('a replica that ended in order is not waited for', async () => {
    const one = await replica('one');
    const two = await replica('two');
    await two.feed.stop();
    expect([...(await mirror.replicas()).keys()]).toEqual(['one']);
    expect(one.feed.health().blind).toBe(false);
  });

  it('OPS-3: an emptied Redis is refilled and nothing is lost', async () => {
    const one = await replica('one');
    for (const id of ['a', 'b', 'c']) await create(one.writer, id);
    await one.writer.remove(ref('b'), null, audit);
    await other.flushall();
    await until('refilled', async () => (await mirror.head())?.version === 4);
    expect(one.ids()).toEqual(['a', 'c']);
    const fresh = await mirror.read({ lineage: '', version: -1 });
    expect(fresh.documents.map((document) => document.id).sort()).toEqual(['a', 'c']);
    expect(await other.keys('*staging*')).toEqual([]);
    expect(await Promise.all(REGISTRY_KEYS.map((key) => other.ttl(key)))).toEqual([-1, -1, -1]);
  });

  it.each(REGISTRY_KEYS.slice(0, 2))('OPS-3: a Redis that lost %s is refilled', async (key) => {
    const one = await replica('one');
    for (const id of ['a', 'b']) await create(one.writer, id);
    await other.del(key);
    await until(
      'refilled',
      async () => (await other.hlen(REGISTRY_KEYS[1] as string)) === 2 && (await mirror.head()) !== null,
    );
    expect(one.ids()).toEqual(['a', 'b']);
    expect((await replica('two')).ids()).toEqual(['a', 'b']);
  });

  it('OPS-3: a Redis restored from an older snapshot is caught up; no replica goes back', async () => {
    const one = await replica('one', { pollMs: 60_000 });
    await create(one.writer, 'a');
    const dumps = await Promise.all(REGISTRY_KEYS.map((key) => other.dumpBuffer(key)));
    await create(one.writer, 'b');
    await one.writer.remove(ref('a'), null, audit);
    const seen: number[] = [];
    const two = await replica('two', { pollMs: 20 });
    two.feed.subscribe((state) => seen.push(state.version));
    for (const [i, key] of REGISTRY_KEYS.entries()) await other.restore(key, 0, dumps[i] as Buffer, 'REPLACE');
    await until('caught up', async () => (await mirror.head())?.version === 3);
    expect(two.ids()).toEqual(['b']);
    expect(seen).toEqual([...seen].sort((x, y) => x - y));
    expect((await replica('three')).ids()).toEqual(['b']);
  });

  it('OPS-3: an old Redis is not believed while PostgreSQL is away', async () => {
    const away: RegistryStore = Object.create(store, {
      head: { value: () => Promise.reject(new Error('away')) },
      changesSince: { value: () => Promise.reject(new Error('away')) },
    }) as RegistryStore;
    let reachable = true;
    const flaky = new Proxy(store, { get: (target, name) => Reflect.get(reachable ? target : away, name) as unknown });
    const one = await replica('one', { pollMs: 30, graceMs: 200, store: flaky });
    await create(one.writer, 'a');
    const dumps = await Promise.all(REGISTRY_KEYS.map((key) => other.dumpBuffer(key)));
    await create(one.writer, 'b');
    reachable = false;
    for (const [i, key] of REGISTRY_KEYS.entries()) await other.restore(key, 0, dumps[i] as Buffer, 'REPLACE');
    await until('it says that it is blind', () => one.feed.health().blind);
    expect(one.ids()).toEqual(['a', 'b']);
    expect(one.feed.health()).toMatchObject({ source: 'none', version: 2 });
    expect(one.events).toContainEqual({ type: 'refused', version: 1, running: 2 });
    reachable = true;
    await until('it sees again', () => !one.feed.health().blind && one.feed.health().source === 'redis');
    expect((await mirror.head())?.version).toBe(2);
  });

  it('OPS-3: a frozen Redis does not hold up changes; PostgreSQL serves, and Redis is caught up afterwards', async () => {
    const one = await replica('one');
    await create(one.writer, 'a');
    await other.call('CLIENT', 'PAUSE', '2500', 'ALL');
    const started = Date.now();
    await create(one.writer, 'b');
    expect(Date.now() - started).toBeLessThan(2_300);
    await until('read from PostgreSQL', () => one.ids().length === 2, 2_000);
    expect(one.feed.health()).toMatchObject({ source: 'postgres', blind: false });
    await until('caught up', async () => (await mirror.head().catch(() => null))?.version === 2, 8_000);
    await until('Redis again', () => one.feed.health().source === 'redis', 8_000);
    expect(one.events.filter((event) => event.type === 'store_down')).toHaveLength(1);
  }, 20_000);

  it('OPS-3: a hanging PostgreSQL is asked once, not once per poll; the last state goes on', async () => {
    const one = await replica('one', { pollMs: 50 });
    await create(one.writer, 'a');
    const blocker = source.createQueryRunner();
    await blocker.startTransaction();
    await blocker.query(`LOCK TABLE registry_documents IN SHARE MODE`); // readable, so that counting works
    const owner = await connectPostgres(database.ownerUrl, { poolSize: 1, applicationName: 'test' });
    const lock = owner.createQueryRunner();
    await lock.startTransaction();
    await lock.query(`LOCK TABLE registry_head IN ACCESS EXCLUSIVE MODE`);
    await until('noticed', () => one.events.some((event) => event.type === 'store_down'), 4_000);
    await sleep(600);
    const waiting = (await blocker.query(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )) as { n: number }[];
    expect(waiting[0]?.n).toBe(1);
    expect(one.ids()).toEqual(['a']);
    expect(one.feed.health()).toMatchObject({ source: 'redis', blind: false });
    await lock.rollbackTransaction();
    await blocker.rollbackTransaction();
    await lock.release();
    await blocker.release();
    await owner.destroy();
    await until('back', () => one.events.some((event) => event.type === 'store_up'));
  }, 20_000);

  it('OPS-3: a PostgreSQL restored from a backup is right, and replicas follow it by a higher version', async () => {
    const one = await replica('one');
    const two = await replica('two');
    await create(one.writer, 'kept');
    await create(one.writer, 'lost');
    await until('two follows', () => two.ids().length === 2);
    const owner = await connectPostgres(database.ownerUrl, { poolSize: 1, applicationName: 'test' });
    await owner.query(`DELETE FROM registry_documents WHERE id = 'lost'; UPDATE registry_head SET version = 1`);
    await owner.destroy();
    await until('both follow', () => one.ids().length === 1 && two.ids().length === 1);
    expect(one.feed.current().version).toBeGreaterThan(2);
    expect((await create(one.writer, 'new')).version).toBeGreaterThan(3);
    await until('two follows', () => two.ids().includes('new'));
    expect(two.ids()).toEqual(['kept', 'new']);
  });

  it('OPS-3: the same with Redis away: even then nobody goes back or keeps what is gone', async () => {
    const lonely = new RedisRegistryMirror(createRedis(redisServer.url, 'background').disconnect() as never);
    const make = async (): Promise<PollingRegistryFeed> => {
      const feed = new PollingRegistryFeed({
        store,
        mirror: lonely,
        hints: null,
        clock: systemClock,
        instanceId: null,
        onEvent: () => {},
        pollMs: 30,
      });
      await feed.start();
      open.push(() => feed.stop());
      return feed;
    };
    await create(store, 'kept');
    await create(store, 'lost');
    const [one, two] = [await make(), await make()];
    const owner = await connectPostgres(database.ownerUrl, { poolSize: 1, applicationName: 'test' });
    await owner.query(`DELETE FROM registry_documents WHERE id = 'lost'; UPDATE registry_head SET version = 1`);
    await owner.destroy();
    await until('both follow', () => one.current().count('key') === 1 && two.current().count('key') === 1);
    expect(one.health()).toMatchObject({ source: 'postgres', blind: false });
  });

  it('a Redis filled by another registry is recognised, whatever its version says', async () => {
    await other.hset('sf:{registry}:head', { lineage: 'someone-else', version: '7', floor: '0', count: '1' });
    await other.hset(
      'sf:{registry}:docs',
      'org_default/key/evil',
      JSON.stringify({ orgId: 'org_default', kind: 'key', id: 'evil', version: 7, body: {} }),
    );
    await other.zadd('sf:{registry}:index', 7, 'org_default/key/evil');
    const one = await replica('one');
    expect(one.ids()).toEqual([]);
    await create(one.writer, 'a');
    expect(one.ids()).toEqual(['a']);
    expect((await replica('two')).ids()).toEqual(['a']);
  });

  it('three thousand documents arrive whole, by refill and by catching up', async () => {
    await source.query(
      `INSERT INTO registry_documents (org_id, kind, id, name, version, body, created_at, updated_at)
       SELECT 'org_default', 'key', 'k' || n, 'n', n, '{}', now(), now() FROM generate_series(1, 3000) n`,
    );
    await source.query(`UPDATE registry_head SET version = 3000`);
    const one = await replica('one');
    expect(one.feed.current().count('key')).toBe(3000);
    const two = await replica('two');
    expect(two.feed.current().count('key')).toBe(3000);
    await Promise.all(Array.from({ length: 20 }, (_, i) => create(one.writer, `new${i}`)));
    await until('two follows', () => two.feed.current().version === 3020);
    expect(two.feed.current().count('key')).toBe(3020);
  }, 20_000);

  it('a replica does not start on Redis alone: it may be an old snapshot', async () => {
    const one = await replica('one');
    await create(one.writer, 'a');
    const away = { ...store, head: () => Promise.reject(new Error('away')) } as unknown as RegistryStore;
    const feed = new PollingRegistryFeed({
      store: away,
      mirror,
      hints: null,
      clock: systemClock,
      instanceId: null,
      onEvent: () => {},
    });
    await expect(feed.start()).rejects.toThrow('PostgreSQL does not answer');
  });

  it('a listener that throws harms neither the feed nor the other listeners', async () => {
    const one = await replica('one');
    const seen: number[] = [];
    one.feed.subscribe(() => {
      throw new Error('boom');
    });
    one.feed.subscribe((state) => seen.push(state.version));
    await create(one.writer, 'a');
    expect(seen).toEqual([1]);
    expect(one.events).toContainEqual({ type: 'failed', reason: 'boom' });
  });
});
