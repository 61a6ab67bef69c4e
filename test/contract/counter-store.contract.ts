import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { checkCounterStore, CounterStoreUnfitError, RedisBudgetCounters } from '#libs/keys-budgets/index.js';
import { Secret } from '#libs/platform/secret.js';
import { budgetKeys, checkRedis, createRedis, redisReady } from '#libs/stores/index.js';
import { startTestRedis, type TestRedis } from '#libs/stores/testing.js';

describe('the store of the counters', () => {
  let server: TestRedis;
  let redis: Redis;
  let counters: RedisBudgetCounters;
  const opened: Redis[] = [];
  const connect = async (url: Secret): Promise<Redis> => {
    const client = createRedis(url, 'background');
    opened.push(client);
    return redisReady(client, url);
  };
  beforeAll(async () => {
    server = await startTestRedis();
    redis = await connect(server.url);
    counters = new RedisBudgetCounters(redis, await connect(server.url));
  }, 30_000);
  afterAll(async () => {
    for (const client of opened) client.disconnect();
    await server?.stop();
  }, 30_000);

  it('is taken when it tells its run_id and keeps its keys', async () => {
    await expect(checkCounterStore(redis)).resolves.toBeUndefined();
  });

  it('is refused when its user may not ask INFO; the message says what to grant', async () => {
    await redis.call('ACL', 'SETUSER', 'limited', 'on', '>pw-of-limited', '~*', '&*', '+@all', '-info');
    const url = new URL(server.url.reveal());
    [url.username, url.password] = ['limited', 'pw-of-limited'];
    // the client's own ready check asks INFO too: connect without it
    const limited = redis.duplicate({ username: 'limited', password: 'pw-of-limited', enableReadyCheck: false });
    limited.on('error', () => {});
    opened.push(limited);
    const refusal = await refusalOf(() => limited);
    expect(refusal).toBeInstanceOf(CounterStoreUnfitError);
    expect((refusal as Error).message).toMatch(/ACL SETUSER <user> \+info/);
  });

  it('is refused when it drops keys for want of memory, whichever it picks', async () => {
    for (const policy of ['allkeys-lru', 'allkeys-lfu', 'allkeys-random']) {
      await redis.config('SET', 'maxmemory-policy', policy);
      await expect(checkCounterStore(redis)).rejects.toThrow(new RegExp(`${policy}.*noeviction`));
    }
    for (const policy of ['volatile-lru', 'noeviction']) {
      await redis.config('SET', 'maxmemory-policy', policy);
      await expect(checkCounterStore(redis)).resolves.toBeUndefined();
    }
  });

  it('CFG-1: a start and the doctor refuse such a Redis, and say what to change', async () => {
    await redis.call('ACL', 'SETUSER', 'limited', 'on', '>pw-of-limited', '~*', '&*', '+@all', '-info');
    const url = new URL(server.url.reveal());
    [url.username, url.password] = ['limited', 'pw-of-limited'];
    await expect(checkRedis(new Secret(url.href))).rejects.toThrow(/ACL SETUSER <user> \+info/);
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await expect(checkRedis(server.url)).rejects.toThrow(/allkeys-lru.*noeviction/);
    await redis.config('SET', 'maxmemory-policy', 'noeviction');
    await expect(checkRedis(server.url)).resolves.toMatch(/\d/);
  });

  // ---- turn.lua, word by word ----

  const run = async (): Promise<string> => /run_id:(\w+)/.exec(await redis.info('server'))?.[1] as string;
  /** An open generation with the given totals and ceilings of process `p`. */
  const lay = async (
    orgId: string,
    totals: Record<string, number>,
    ceilings: Record<string, number> = {},
  ): Promise<void> => {
    const keys = budgetKeys(orgId);
    await redis.hset(keys.head, { run: await run(), gen: '1', open: '1' });
    await redis.hset(keys.totals('1'), { '#': 1, ...totals });
    await redis.hset(keys.ceilings('1', 'p'), { '#': 0, ...ceilings });
  };
  type Account = readonly [field: string, limit: number, mode: number, base: number, slack: number];
  type Request = readonly [min: number, want: number, ...indexes: number[]];
  const turn = (orgId: string, seq: number, accounts: readonly Account[], requests: readonly Request[] = []) =>
    counters.turn(orgId, '1', 'p', [
      '1', seq, 1000, 0.25, accounts.length, requests.length,
      ...accounts.flat(),
      ...requests.flatMap(([min, want, ...indexes]) => [min, want, indexes.length, ...indexes]),
    ]); // prettier-ignore

  it('KEY-4: gives all budgets of a request or none, and what one request took is gone for the next', async () => {
    await lay('t1', { a: 0, b: 90 });
    const accounts: Account[] = [
      ['a', 1000, 0, 0, 0],
      ['b', 100, 0, 0, 0],
    ];
    const answer = await turn('t1', 1, accounts, [
      [11, 11, 1, 2],
      [10, 10, 1, 2],
      [1, 1, 1, 2],
      [990, 990, 1],
    ]);
    expect(answer).toMatchObject({
      status: 'OK',
      open: true,
      grants: [-2, 10, -2, 990],
      values: [1000, 1000, 10, 100],
    });
  });

  it('KEY-4: names the first budget of a request that is short', async () => {
    await lay('t2', { a: 100, b: 100 });
    expect(
      await turn(
        't2',
        1,
        [
          ['a', 100, 0, 0, 0],
          ['b', 100, 1, 0, 0],
        ],
        [
          [5, 5, 1, 2],
          [5, 5, 2, 1],
        ],
      ),
    ).toMatchObject({ grants: [-1, -2] });
  });

  it('KEY-4: clamp: a quarter of what is left, at least the minimum, and refused below it', async () => {
    await lay('t3', { a: 0 });
    const clamp: Account = ['a', 1000, 1, 0, 0];
    expect(
      await turn(
        't3',
        1,
        [clamp],
        [
          [10, 5000, 1],
          [10, 5000, 1],
          [700, 5000, 1],
          [400, 5000, 1],
          [10, 20, 1],
        ],
      ),
    ).toMatchObject({
      grants: [250, 187, -1, 400, 20],
    });
  });

  it('KEY-4: a message sent again or late changes nothing', async () => {
    await lay('t4', {});
    expect(await turn('t4', 5, [['a', 1000, 0, 0, 100]])).toMatchObject({ status: 'OK' });
    const before = await redis.hgetall(budgetKeys('t4').totals('1'));
    for (const seq of [5, 4, 1]) expect(await turn('t4', seq, [['a', 1000, 0, 500, 0]])).toEqual({ status: 'OLD' });
    expect(await redis.hgetall(budgetKeys('t4').totals('1'))).toEqual(before);
  });

  it('KEY-6: a server of another life, a flushed counter and a closed process are told apart', async () => {
    await lay('t5', {});
    await redis.hset(budgetKeys('t5').head, 'run', 'x'.repeat(40));
    expect(await turn('t5', 1, [])).toEqual({ status: 'GEN' });
    await redis.hset(budgetKeys('t5').head, 'run', await run());
    await redis.del(budgetKeys('t5').ceilings('1', 'p'));
    expect(await turn('t5', 2, [])).toEqual({ status: 'OUT' });
    await lay('t5', {});
    await redis.del(budgetKeys('t5').totals('1'));
    expect(await turn('t5', 3, [])).toEqual({ status: 'GEN' });
  });

  it('KEY-4: while a generation is not open, slack may be given out and no ceiling rises', async () => {
    await lay('t6', { a: 50 }, { a: 50 });
    await redis.hset(budgetKeys('t6').head, 'open', '0');
    const answer = await turn(
      't6',
      1,
      [['a', 1000, 0, 20, 500]],
      [
        [30, 30, 1],
        [1, 1, 1],
      ],
    );
    expect(answer).toMatchObject({ status: 'OK', open: false, grants: [30, -1], values: [50, 50] });
  });

  it('KEY-4: a slice is at most a sixteenth of what is free, and no crumb', async () => {
    await lay('t7', { a: 0, b: 990 });
    expect(
      await turn('t7', 1, [
        ['a', 1600, 0, 0, 400],
        ['b', 1000, 0, 0, 400],
      ]),
    ).toMatchObject({ values: [100, 100, 0, 990] });
  });

  it('KEY-4: a cost above the ceiling raises the total even over the limit, and nothing is left to give', async () => {
    await lay('t8', { a: 900 }, { a: 900 });
    expect(await turn('t8', 1, [['a', 1000, 0, 1500, 0]], [[1, 1, 1]])).toMatchObject({
      grants: [-1],
      values: [1500, 1500],
    });
  });

  it('KEY-4: amounts near nine million dollars are exact to the nano-dollar', async () => {
    await lay('t9', { a: 8_999_999_999_999_990 });
    const limit = 9_000_000_000_000_000;
    expect(
      await turn(
        't9',
        1,
        [['a', limit, 0, 0, 0]],
        [
          [11, 11, 1],
          [10, 10, 1],
          [1, 1, 1],
        ],
      ),
    ).toMatchObject({
      grants: [-1, 10, -1],
      values: [10, limit],
    });
    expect(await redis.hget(budgetKeys('t9').totals('1'), 'a')).toBe('9000000000000000');
  });

  it('KEY-4: soft budgets grant whatever is asked', async () => {
    await lay('t10', { a: 5000 });
    expect(await turn('t10', 1, [['a', 100, 2, 0, 0]], [[7000, 7000, 1]])).toMatchObject({
      grants: [7000],
      values: [7000, 12_000],
    });
  });

  it('KEY-4: somebody short is told to all processes, once per budget and message', async () => {
    await lay('t11', { a: 100 });
    const heard: string[] = [];
    counters.onRecall('t11', (field) => heard.push(field));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await turn(
      't11',
      1,
      [['a', 100, 0, 0, 0]],
      [
        [1, 1, 1],
        [2, 2, 1],
      ],
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(heard).toEqual(['a']);
  });

  it('KEY-4: as many budgets and requests as one message may have', async () => {
    await lay('t12', {});
    const accounts = Array.from({ length: 1531 }, (_, n): Account => [`budget_with_a_name_${n}`, 1e12, 0, 0, 10]);
    const requests = Array.from({ length: 128 }, (_, n): Request => [
      1,
      5,
      ...Array.from({ length: 32 }, (_unused, k) => 1 + ((n * 31 + k) % 1531)),
    ]);
    expect(await turn('t12', 1, accounts, requests)).toMatchObject({
      status: 'OK',
      grants: Array.from({ length: 128 }, () => 5),
    });
  });
});

/** The connection becomes ready a moment after it was asked for. */
async function refusalOf(client: () => Redis): Promise<unknown> {
  for (let n = 0; ; n++) {
    const refusal = await checkCounterStore(client()).catch((error: unknown) => error);
    if (refusal instanceof CounterStoreUnfitError || n > 50) return refusal;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
