import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '#libs/platform/clock.js';
import { createLogger } from '#libs/platform/logger.js';
import { openRegistry, RegistryState, type AuditOrigin, type Registry } from '#libs/registry/index.js';
import { ChainIndex, failureOf, ResponseOwners } from '#libs/routing/index.js';
import { connectPostgres, createRedis, migrate, redisReady } from '#libs/stores/index.js';
import { startTestPostgres, startTestRedis, type TestPostgres, type TestRedis } from '#libs/stores/testing.js';
import { ChainAdmin } from '../../libs/routing/chain-admin.js';
import { HealthBook } from '../../libs/routing/health-book.js';
import type { HealthShare } from '../../libs/routing/health-share.js';
import { RedisHealthShare } from '../../libs/routing/store/health-share.redis.js';
import { RedisResponseStore } from '../../libs/routing/store/response-store.redis.js';
import { chainOf, models } from '../fakes/routing.js';

type Redis = ReturnType<typeof createRedis>;

async function until(what: string, condition: () => boolean, timeoutMs = 5_000): Promise<void> {
  const giveUpAt = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > giveUpAt) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(10);
  }
}

describe('breakers shared through Redis', () => {
  let server: TestRedis;
  const open: (() => void)[] = [];
  let connection: Redis;

  beforeAll(async () => {
    server = await startTestRedis();
    connection = await redisReady(createRedis(server.url, 'background'), server.url);
  }, 60_000);
  afterAll(async () => {
    connection.disconnect();
    await server.stop();
  });
  beforeEach(() => connection.flushall());
  afterEach(() => {
    for (const close of open.splice(0)) close();
  });

  async function shareOf(processId: string): Promise<RedisHealthShare> {
    const [told, heard] = await Promise.all(
      (['background', 'subscriber'] as const).map((purpose) =>
        redisReady(createRedis(server.url, purpose), server.url),
      ),
    );
    open.push(() => [told, heard].forEach((redis) => redis?.disconnect()));
    return new RedisHealthShare(told as Redis, heard as Redis, processId);
  }

  async function process(id: string, amend: (share: HealthShare) => HealthShare = (share) => share) {
    const book = new HealthBook(systemClock);
    const events: boolean[] = [];
    await book.connect(amend(await shareOf(id)), (isUp) => events.push(isUp));
    open.push(() => book.disconnect());
    await sleep(50); // the subscription is on its way
    return { book, events, state: book.stateOf('p/m') };
  }

  const now = (): number => systemClock.monotonic();

  it('RTE-3: what one process finds out, the others know at once, and also that it is well again', async () => {
    const [one, other] = [await process('one'), await process('other')];
    one.state.bad(now(), { class: 'rate_limit', status: 429, retryAfterMs: 300 });
    await until('the other has heard of it', () => other.state.breaker === 'open', 1_000);
    expect(other.state.reason).toBe('rate_limit');
    expect(Math.abs(other.state.openUntilMs - one.state.openUntilMs)).toBeLessThan(250);
    expect(other.state.mayTry(now())).toBe(false);
    await sleep(320);
    expect([one.state.mayTry(now()), one.state.breaker]).toEqual([true, 'half_open']);
    one.state.good(now(), 10);
    await until('the other has heard of it', () => other.state.breaker === 'closed', 1_000);
    await sleep(2_500); // polls do not bring it back
    expect([one.state.breaker, other.state.breaker]).toEqual(['closed', 'closed']);
  });

  it('RTE-3: a process that starts later, or misses a message, learns of it from the store', async () => {
    const deaf = await process('deaf', (share) => ({
      tell: (change) => share.tell(change),
      openings: () => share.openings(),
      listen: () => () => {},
    }));
    const one = await process('one');
    one.state.bad(now(), { class: 'auth', status: 401, retryAfterMs: null });
    await until('the poll has found it', () => deaf.state.breaker === 'open', 3_000);
    const late = await process('late');
    expect([late.state.breaker, late.state.reason]).toEqual(['open', 'auth']);
    expect(late.state.openUntilMs - now()).toBeGreaterThan(20_000);
  });

  it('RTE-3: the model that a chain of a key stands behind is shared too, though no chain lists it', async () => {
    const fileChains = [{ name: 'k', ...chainOf({ steps: [{ targets: [{ model: 'b/small' }] }] }) }];
    const plans = await Promise.all(
      ['one', 'other'].map(async (id) => {
        const { book } = await process(id);
        const sources = { registry: RegistryState.empty, fileChains, fileModels: [] };
        const index = new ChainIndex(sources, { models, health: book, costOf: () => null });
        return index.chainFor({ orgId: 'org_default', model: 'a/small', keyChain: 'k', teamChain: null });
      }),
    );
    const [one, other] = plans.map((plan) => plan?.steps[0]?.targets[0]);
    one?.state.bad(now(), { class: 'auth', status: 401, retryAfterMs: null });
    await until('the other has heard of it', () => other?.state.breaker === 'open', 1_000);
    expect([one?.id, other?.id, other?.state.reason]).toEqual(['a/small', 'a/small', 'auth']);
  });

  it('RTE-3: openings end by the clock of the store; what is over is taken out; nonsense is passed over', async () => {
    const share = await shareOf('one');
    await share.tell({ target: 'a/b', reason: 'connect', coolMs: 100 });
    await share.tell({ target: 'c/d', reason: 'overloaded', coolMs: 60_000 });
    expect((await share.openings()).map(({ target }) => target).sort()).toEqual(['a/b', 'c/d']);
    await sleep(150);
    const [left, ...rest] = await share.openings();
    expect([left?.target, left?.reason, rest.length]).toEqual(['c/d', 'overloaded', 0]);
    expect(left?.coolMs).toBeLessThanOrEqual(59_900);
    await connection.hset('sf:{routing}:open', 'x/y', 'nonsense', 'v/w', '99999999999999 unheard_of');
    expect((await share.openings()).map(({ target }) => target)).toEqual(['c/d']);
    expect(await connection.ttl('sf:{routing}:open')).toBeGreaterThan(0);
    const heard: unknown[] = [];
    const stop = share.listen((change) => heard.push(change));
    await sleep(50);
    for (const text of ['', '{', 'null', '{"from":"x"}', '{"from":"x","target":"t","coolMs":-1,"reason":"auth"}']) {
      await connection.publish('sf:routing:health', text);
    }
    await connection.publish('sf:routing:health', '{"from":"x","target":"t","coolMs":5,"reason":"auth"}');
    await until('the good message arrived', () => heard.length > 0);
    expect(heard).toEqual([{ target: 't', coolMs: 5, reason: 'auth' }]);
    stop();
  });

  it('RTE-3: names that callers made up leave room for the targets of chains', async () => {
    const share = await shareOf('one');
    const made = Array.from(
      { length: 1_100 },
      (_, i) => ({ target: `a/${i}`, reason: 'auth', coolMs: 60_000 }) as const,
    );
    await Promise.all(made.map((change) => share.tell(change, true)));
    await share.tell({ target: 'of/chain', reason: 'auth', coolMs: 60_000 });
    const kept = (await share.openings()).map(({ target }) => target);
    expect(kept).toHaveLength(1_025);
    expect(kept).toContain('of/chain');
  });

  it('RTE-3: while Redis is away each process goes by its own experience, and says so once', async () => {
    let isAway = false;
    const gate = <T>(work: () => Promise<T>): Promise<T> => (isAway ? Promise.reject(new Error('away')) : work());
    const one = await process('one', (share) => ({
      tell: (change) => gate(() => share.tell(change)),
      openings: () => gate(() => share.openings()),
      listen: (onChange) => share.listen(onChange),
    }));
    isAway = true;
    for (let i = 0; i < 5; i++) one.state.bad(now(), failureOf('server_error'));
    expect(one.state.breaker).toBe('open');
    await until('it was noticed', () => one.events.length > 0, 3_000);
    await sleep(2_200);
    expect(one.events).toEqual([false]);
    isAway = false;
    await until('it was noticed', () => one.events.length > 1, 3_000);
    expect(one.events).toEqual([false, true]);
    expect(one.state.breaker).toBe('open');
  });

  it('RTE-3: makers of stored answers are known to every process, apart by organisation, and for a time only', async () => {
    const [one, other] = [0, 1].map(() => new ResponseOwners(new RedisResponseStore(connection))) as [
      ResponseOwners,
      ResponseOwners,
    ];
    one.remember('org_a', 'resp_1', 'p/m');
    expect(one.known('org_a', 'resp_1')).toBe('p/m');
    expect(other.known('org_a', 'resp_1')).toBeUndefined();
    await sleep(50);
    expect(await other.find('org_a', 'resp_1')).toBe('p/m');
    expect(await other.find('org_b', 'resp_1')).toBeNull();
    expect(await other.find('org_a', 'x'.repeat(10_000))).toBeNull();
    const [kept] = await connection.keys('sf:{routing}:made:*');
    expect(await connection.ttl(kept as string)).toBeGreaterThan(86_400);
    const away = new ResponseOwners({
      keep: () => Promise.reject(new Error('away')),
      find: () => Promise.reject(new Error('away')),
    });
    away.remember('org_a', 'resp_2', 'p/m');
    expect(await away.find('org_a', 'resp_2')).toBe('p/m');
    expect(await away.find('org_a', 'resp_3')).toBeNull();
  });
});

describe('chains as registry documents', () => {
  let postgres: TestPostgres;
  let redis: TestRedis;
  const replicas: Registry[] = [];
  let source: Awaited<ReturnType<typeof connectPostgres>>;
  const origin: AuditOrigin = {
    actor: { kind: 'token', id: 'tok_1', name: 'ci' },
    ip: null,
    userAgent: null,
    requestId: null,
  };
  const neighbours = { fileChains: () => [], models: () => models };
  const steps = [{ targets: [{ model: 'a/small' }] }, { targets: [{ model: 'b/small', weight: 2 }] }];

  beforeAll(async () => {
    [postgres, redis] = await Promise.all([startTestPostgres(), startTestRedis()]);
    await migrate(postgres.ownerUrl);
    source = await connectPostgres(postgres.appUrl, { poolSize: 6, applicationName: 'test' });
    const log = createLogger({ level: 'error', name: 'test' });
    const urls = { postgres: postgres.appUrl, postgresOwner: postgres.ownerUrl, redis: redis.url, mongodb: null };
    for (const instanceId of ['inst_1', 'inst_2']) {
      replicas.push(await openRegistry({ postgres: source, urls, clock: systemClock, log, instanceId }));
    }
  }, 60_000);
  afterAll(async () => {
    for (const replica of replicas) await replica.close();
    await source.destroy();
    await Promise.all([postgres.stop(), redis.stop()]);
  });

  /** Has not heard yet of what the other replica does. */
  const adminBefore = (at: number): ChainAdmin => {
    const { writer, feed } = replicas[at] as Registry;
    const before = feed.current();
    return new ChainAdmin(
      writer,
      Object.assign(Object.create(feed) as typeof feed, { current: () => before }),
      neighbours,
    );
  };
  const admin = (at: number): ChainAdmin => {
    const replica = replicas[at] as Registry;
    return new ChainAdmin(replica.writer, replica.feed, neighbours);
  };
  const ids = (at: number, name: string): unknown => {
    const registry = (replicas[at] as Registry).feed.current();
    const index = new ChainIndex(
      { registry, fileChains: [], fileModels: [] },
      { models, health: new HealthBook(systemClock), costOf: () => null },
    );
    return index.planOf('org_default', name)?.steps.map((step) => step.targets.map(({ id }) => id)) ?? null;
  };

  it('RTE-1: a chain made at one replica is compiled at the other, changed, and gone, within a poll', async () => {
    const made = await admin(0).create('org_default', 'resilient', { steps }, origin);
    expect([made.id.startsWith('chain_'), made.faults]).toEqual([true, []]);
    expect(ids(0, 'resilient')).toEqual([['a/small'], ['b/small']]);
    await until('the other replica has it', () => ids(1, 'resilient') !== null);
    expect(ids(1, 'resilient')).toEqual([['a/small'], ['b/small']]);
    const ref = { orgId: 'org_default', id: 'resilient', expectedVersion: made.version };
    await admin(1).update(ref, { retry: { max_attempts: 2 } }, true, origin);
    await until('the first replica has it', () => admin(0).get('org_default', made.id).retry.maxAttempts === 2);
    await expect(admin(0).update(ref, { affinity: 'none' }, true, origin)).rejects.toMatchObject({ code: 'conflict' });
    await admin(0).remove({ ...ref, expectedVersion: null }, origin);
    await until('the other replica has it', () => ids(1, 'resilient') === null);
    const actions: unknown = await source.query(
      `SELECT action FROM audit_log WHERE object_kind = 'chain' ORDER BY seq`,
    );
    expect(actions).toEqual([{ action: 'chain.create' }, { action: 'chain.update' }, { action: 'chain.delete' }]);
  });

  it('RTE-1: of chains made at the same time under names that differ only in case, one is', async () => {
    const results = await Promise.allSettled(
      ['Twin', 'twin', 'TWIN', 'tWin'].map((name, at) => admin(at % 2).create('org_default', name, { steps }, origin)),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'conflict' });
  });

  const ref = { orgId: 'org_default', expectedVersion: null };
  const to = (model: string) => ({ steps: [{ targets: [{ model }] }, { targets: [{ model: 'c/small' }] }] });

  it('RTE-1: of two changes that would make a circle together one is refused, though neither replica knew of the other', async () => {
    await admin(0).create('org_default', 'left', { steps }, origin);
    await admin(0).create('org_default', 'right', { steps }, origin);
    await until('both are at the other replica', () => ids(1, 'right') !== null);
    const [one, other] = [adminBefore(0), adminBefore(1)];
    const results = await Promise.allSettled([
      one.update({ ...ref, id: 'left' }, to('right'), false, origin),
      other.update({ ...ref, id: 'right' }, to('left'), false, origin),
    ]);
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused.map(({ reason }: PromiseRejectedResult): unknown => reason)).toMatchObject([
      { code: 'invalid_request' },
    ]);
  });

  it('RTE-1: a chain that is named and deleted at the same time is there, or nobody names it', async () => {
    await admin(0).create('org_default', 'inner', { steps }, origin);
    await admin(0).create('org_default', 'outer', { steps }, origin);
    await until('both are at the other replica', () => ids(1, 'outer') !== null);
    const [one, other] = [adminBefore(0), adminBefore(1)];
    const results = await Promise.allSettled([
      one.remove({ ...ref, id: 'inner' }, origin),
      other.update({ ...ref, id: 'outer' }, to('inner'), false, origin),
    ]);
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1);
  });
});
