// Rate limits that several processes keep together, on a real store that may go away, freeze or forget.
import { setTimeout as sleep } from 'node:timers/promises';
import { jest } from '@jest/globals';
import {
  LimitRefusal,
  RedisLimitCounters,
  SharedLimiter,
  type LimitScope,
  type LimitTicket,
  type TokenEstimate,
} from '#libs/keys-budgets/index.js';
import { createRedis, redisReady } from '#libs/stores/index.js';
import { listeningLogger, redisRig, type Redis, type RedisRig } from './ledger-rig.js';

jest.setTimeout(60_000);

const ORG = 'org_default';
const ONE: TokenEstimate = { input: 1, output: 0 };

let rig: RedisRig;
let connections: Redis[];
let limiters: SharedLimiter[];
let lines: string[];
let names = 0;

beforeAll(async () => {
  rig = await redisRig();
});
afterAll(() => rig.stop());
beforeEach(() => {
  connections = [];
  limiters = [];
  lines = [];
});
afterEach(async () => {
  for (const limiter of limiters) limiter.stop();
  for (const connection of connections) connection.disconnect();
  rig.gate.open();
  await rig.redis.flushall();
});

/** A process that takes part in the limits; through the gate, so that its store can go away. */
async function join(options: { windowS?: number } = {}): Promise<SharedLimiter> {
  const redis = await redisReady(createRedis(rig.gatedUrl, 'commands'), rig.gatedUrl);
  connections.push(redis);
  const listening = listeningLogger();
  lines = listening.lines;
  const processId = `p${++names}`;
  const counters = new RedisLimitCounters(redis, options.windowS);
  const limiter = new SharedLimiter({ counters, logger: listening.logger, processId }, [ORG]);
  limiters.push(limiter);
  return limiter;
}

/** Processes that know of one another. */
async function joinAll(count: number, options: { windowS?: number } = {}): Promise<SharedLimiter[]> {
  const joined = [];
  for (let i = 0; i < count; i++) joined.push(await join(options));
  await sleep(1_300);
  return joined;
}

function scope(limits: { rpm?: number; tpm?: number; parallel?: number }, id = `key:${++names}`): LimitScope {
  const { rpm = null, tpm = null, parallel = null } = limits;
  return { id, kind: 'key', name: id, limits: { rpm, tpm, maxParallel: parallel } };
}

/** The ticket, or the refusal. */
async function attempt(
  limiter: SharedLimiter,
  scopes: readonly LimitScope[],
  tokens: TokenEstimate = ONE,
): Promise<LimitTicket | LimitRefusal> {
  try {
    return await limiter.admit(ORG, scopes, tokens);
  } catch (error) {
    if (error instanceof LimitRefusal) return error;
    throw error;
  }
}

/** The refusal that comes once the others' use has been heard of; a ticket when none comes in time. */
async function refusalWithin(
  withinMs: number,
  limiter: SharedLimiter,
  scopes: readonly LimitScope[],
): Promise<LimitTicket | LimitRefusal> {
  for (const giveUpAt = Date.now() + withinMs; ; await sleep(50)) {
    const one = await attempt(limiter, scopes);
    if (one instanceof LimitRefusal || Date.now() > giveUpAt) return one;
    one.cancel();
  }
}
const isTicket = (one: LimitTicket | LimitRefusal): one is LimitTicket => !(one instanceof LimitRefusal);

describe('requests per minute', () => {
  it('KEY-1: a burst of 200 calls through three processes lets in exactly as many as the limit', async () => {
    const processes = await joinAll(3);
    const limited = scope({ rpm: 50 });
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, n) => attempt(processes[n % 3] as SharedLimiter, [limited])),
    );
    expect(results.filter(isTicket)).toHaveLength(50);
    const refusals = results.filter((one) => one instanceof LimitRefusal);
    for (const refusal of refusals) {
      expect(refusal.code).toBe('rate_limit_exceeded');
      expect(refusal.retryAfterS).toBeGreaterThanOrEqual(1);
      expect(refusal.retryAfterS).toBeLessThanOrEqual(60);
      expect(refusal.state.requests).toMatchObject({ limit: 50, remaining: 0 });
    }
    expect(refusals[0]?.message).toMatch(/50 requests per minute/);
  });

  it('in no window of its length are there more than the limit, and most of it is used', async () => {
    // 6 seconds added up: what is promised is any 4 seconds.
    const processes = await joinAll(2, { windowS: 6 });
    const limited = scope({ rpm: 400 });
    const admitted: number[] = [];
    const endMs = performance.now() + 9_000;
    await Promise.all(
      processes.flatMap((limiter) =>
        [1, 2, 3].map(async () => {
          while (performance.now() < endMs) {
            if (isTicket(await attempt(limiter, [limited]))) admitted.push(performance.now());
            await sleep(Math.random() * 8);
          }
        }),
      ),
    );
    admitted.sort((a, b) => a - b);
    let most = 0;
    for (const [index, at] of admitted.entries()) {
      const inWindow = admitted.slice(index).findIndex((later) => later - at >= 4_000);
      most = Math.max(most, inWindow === -1 ? admitted.length - index : inWindow);
    }
    expect(most).toBeLessThanOrEqual(400);
    expect(most).toBeGreaterThanOrEqual(360);
    expect(admitted.length).toBeGreaterThan(500);
  });

  it('a busy process decides by itself, from what it has leased', async () => {
    const [limiter] = (await joinAll(2)) as [SharedLimiter];
    const scopes = [scope({ rpm: 1_000_000, tpm: 100_000_000 }), scope({ rpm: 1_000_000 }), scope({ parallel: 1_000 })];
    const endMs = performance.now() + 3_000;
    let calls = 0;
    while (performance.now() < endMs) {
      const tickets = await Promise.all(Array.from({ length: 8 }, () => attempt(limiter, scopes)));
      calls += tickets.length;
      for (const ticket of tickets) (ticket as LimitTicket).settle(1);
      await sleep(2);
    }
    expect(limiter.stats.refused).toBe(0);
    expect(limiter.stats.local).toBeGreaterThan(calls / 2);
    expect(limiter.stats.messages).toBeLessThan(calls / 4);
  });

  it('a flood of refused calls hardly asks the store', async () => {
    const limiter = await join();
    const limited = scope({ rpm: 5 });
    for (let i = 0; i < 5; i++) expect(isTicket(await attempt(limiter, [limited]))).toBe(true);
    const before = limiter.stats.messages;
    const endMs = performance.now() + 1_000;
    while (performance.now() < endMs) {
      expect(isTicket(await attempt(limiter, [limited]))).toBe(false);
      await sleep(1);
    }
    expect(limiter.stats.messages - before).toBeLessThan(15);
  });

  it('a call that was not made does not count', async () => {
    const limiter = await join();
    const limited = scope({ rpm: 2 });
    for (let i = 0; i < 20; i++) {
      const ticket = await attempt(limiter, [limited]);
      expect(isTicket(ticket)).toBe(true);
      (ticket as LimitTicket).cancel();
      (ticket as LimitTicket).cancel();
    }
  });

  it('all scopes have room, or none is charged', async () => {
    const [limiter, other] = (await joinAll(2)) as [SharedLimiter, SharedLimiter];
    const team = scope({ rpm: 3 });
    const [first, second] = [scope({ rpm: 10 }), scope({ rpm: 10 })];
    const results = await Promise.all(Array.from({ length: 12 }, () => attempt(limiter, [first, team])));
    expect(results.filter(isTicket)).toHaveLength(3);
    expect(results.filter((one) => one instanceof LimitRefusal).every((one) => one.scopeName === team.id)).toBe(true);
    await sleep(1_500);
    // What the team refused did not use up the key: seven are left for calls without the team.
    const rest = await Promise.all(Array.from({ length: 12 }, () => attempt(other, [first])));
    expect(rest.filter(isTicket)).toHaveLength(7);
    expect(isTicket(await attempt(other, [second, team]))).toBe(false);
  });
});

describe('tokens per minute', () => {
  it('counts the estimate first and the truth afterwards', async () => {
    const [limiter, other] = (await joinAll(2)) as [SharedLimiter, SharedLimiter];
    const limited = scope({ tpm: 1_000 });
    const big = { input: 400, output: 200 };
    const first = (await attempt(limiter, [limited], big)) as LimitTicket;
    expect(isTicket(await attempt(other, [limited], big))).toBe(false);
    first.settle(100);
    await sleep(300);
    const second = (await attempt(other, [limited], big)) as LimitTicket;
    expect(isTicket(second)).toBe(true);
    second.settle(950);
    const refusal = await refusalWithin(3_000, limiter, [limited]);
    expect(refusal).toBeInstanceOf(LimitRefusal);
    expect(refusal).toMatchObject({ measure: 'tpm' });
  });

  it('a request that is larger than the whole limit is told so, and not to come again', async () => {
    const limiter = await join();
    const refusal = (await attempt(limiter, [scope({ tpm: 100 })], { input: 101, output: 0 })) as LimitRefusal;
    expect(refusal).toBeInstanceOf(LimitRefusal);
    expect(refusal.message).toMatch(/cannot pass/);
    expect(refusal.retryAfterS).toBeNull();
  });

  it('a wish for a long answer takes what the limit has, not more', async () => {
    const limiter = await join();
    const limited = scope({ tpm: 100 });
    const ticket = await attempt(limiter, [limited], { input: 10, output: 128_000 });
    expect(isTicket(ticket)).toBe(true);
    expect(isTicket(await attempt(limiter, [limited]))).toBe(false);
    (ticket as LimitTicket).settle(20);
    await sleep(300);
    expect(isTicket(await attempt(limiter, [limited]))).toBe(true);
  });
});

describe('calls at the same time', () => {
  it('KEY-1: never more than the limit, whatever calls do; nothing is left over', async () => {
    const processes = await joinAll(3);
    const limited = scope({ parallel: 7 });
    let running = 0;
    let most = 0;
    let admitted = 0;
    const endMs = performance.now() + 4_000;
    await Promise.all(
      Array.from({ length: 60 }, async (_, n) => {
        while (performance.now() < endMs) {
          const ticket = await attempt(processes[n % 3] as SharedLimiter, [limited]);
          if (!isTicket(ticket)) {
            await sleep(20 * Math.random());
            continue;
          }
          admitted += 1;
          most = Math.max(most, ++running);
          await sleep(10 * Math.random());
          running -= 1;
          if (Math.random() < 0.2) ticket.cancel();
          else ticket.settle(null);
        }
      }),
    );
    expect(most).toBe(7);
    expect(admitted).toBeGreaterThan(500);
    await sleep(500);
    for (const limiter of processes) {
      const all = await Promise.all(Array.from({ length: 7 }, () => attempt(limiter, [limited])));
      expect(all.filter(isTicket)).toHaveLength(7);
      for (const ticket of all) (ticket as LimitTicket).settle(null);
      await sleep(200);
    }
  });

  it('one caller who goes from process to process is never refused falsely', async () => {
    const processes = await joinAll(2);
    const limited = scope({ parallel: 1 });
    for (let i = 0; i < 200; i++) {
      const ticket = await attempt(processes[i % 2] as SharedLimiter, [limited]);
      if (!isTicket(ticket)) throw new Error(`call ${i} was refused: ${ticket.message}`);
      ticket.settle(null);
    }
  });

  it('the slots of a process that died are free again within seconds', async () => {
    const [dying, other] = (await joinAll(2)) as [SharedLimiter, SharedLimiter];
    const limited = scope({ parallel: 3 });
    for (let i = 0; i < 3; i++) expect(isTicket(await attempt(dying, [limited]))).toBe(true);
    expect(isTicket(await attempt(other, [limited]))).toBe(false);
    dying.stop();
    await sleep(7_000);
    const all = await Promise.all(Array.from({ length: 4 }, () => attempt(other, [limited])));
    expect(all.filter(isTicket)).toHaveLength(3);
  });

  it('a limit that is lowered, lifted and set again while calls run is kept', async () => {
    const limiter = await join();
    const id = `key:${++names}`;
    const first = (await attempt(limiter, [scope({ parallel: 3 }, id)])) as LimitTicket;
    const second = (await attempt(limiter, [scope({ parallel: 3 }, id)])) as LimitTicket;
    expect(isTicket(await attempt(limiter, [scope({ parallel: 1 }, id)]))).toBe(false);
    const free = (await attempt(limiter, [scope({ rpm: 1_000 }, id)])) as LimitTicket;
    expect(isTicket(free)).toBe(true);
    first.settle(null);
    second.settle(null);
    free.settle(null);
    const third = (await attempt(limiter, [scope({ parallel: 1 }, id)])) as LimitTicket;
    expect(isTicket(third)).toBe(true);
    expect(isTicket(await attempt(limiter, [scope({ parallel: 1 }, id)]))).toBe(false);
    third.settle(null);
    expect(isTicket(await attempt(limiter, [scope({ parallel: 1 }, id)]))).toBe(true);
  });
});

describe('when the store is not well', () => {
  it('OPS-3: while it is away each of two processes lets in half; when it is back they count together', async () => {
    const processes = await joinAll(2);
    const limited = scope({ rpm: 20, parallel: 40 });
    rig.gate.shut();
    const away = await Promise.all(
      Array.from({ length: 60 }, (_, n) => attempt(processes[n % 2] as SharedLimiter, [limited])),
    );
    expect(away.filter(isTicket)).toHaveLength(20);
    expect(processes.every((limiter) => limiter.isAway)).toBe(true);
    rig.gate.open();
    const endMs = performance.now() + 5_000;
    while (processes.some((limiter) => limiter.isAway) && performance.now() < endMs) await sleep(50);
    await sleep(500);
    // What was let in meanwhile counts now.
    for (const limiter of processes) expect(isTicket(await attempt(limiter, [limited]))).toBe(false);
    expect(lines.filter((line) => line.includes('do not answer'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('answer again'))).toHaveLength(1);
  });

  it('OPS-3: a frozen store costs one call its time limit, and the following nothing', async () => {
    const limiter = await join();
    const limited = scope({ rpm: 1_000 });
    await rig.redis.call('CLIENT', 'PAUSE', '3000', 'ALL');
    const startMs = performance.now();
    expect(isTicket(await attempt(limiter, [limited]))).toBe(true);
    expect(performance.now() - startMs).toBeLessThan(300);
    const restMs = performance.now();
    for (let i = 0; i < 50; i++) expect(isTicket(await attempt(limiter, [limited]))).toBe(true);
    expect(performance.now() - restMs).toBeLessThan(100);
    await sleep(3_500);
    expect(limiter.isAway).toBe(false);
  });

  it('OPS-3: a store that was emptied learns again what was used and what is held', async () => {
    const [first, second] = (await joinAll(2)) as [SharedLimiter, SharedLimiter];
    const limited = scope({ rpm: 10 });
    const slots = scope({ parallel: 4 });
    for (let i = 0; i < 6; i++) expect(isTicket(await attempt(first, [limited]))).toBe(true);
    for (let i = 0; i < 3; i++) expect(isTicket(await attempt(first, [slots]))).toBe(true);
    await rig.redis.flushall();
    await sleep(2_500);
    const requests = await Promise.all(Array.from({ length: 10 }, () => attempt(second, [limited])));
    expect(requests.filter(isTicket)).toHaveLength(4);
    const parallel = await Promise.all(Array.from({ length: 4 }, () => attempt(second, [slots])));
    expect(parallel.filter(isTicket)).toHaveLength(1);
  });

  it('all keys of an organisation share its hash tag and end by themselves', async () => {
    const limiter = await join();
    await attempt(limiter, [scope({ rpm: 10, tpm: 100, parallel: 2 }, 'team:a b}c|ü')]);
    const keys = await rig.redis.keys('*');
    expect(keys.length).toBe(3);
    for (const key of keys) {
      expect(key.startsWith(`sf:{${ORG}}:limits`)).toBe(true);
      expect(await rig.redis.pttl(key)).toBeGreaterThan(0);
    }
  });
});
