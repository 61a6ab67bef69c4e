// The gateway's ends of the two streams, on a real Valkey that is slow, full, frozen or away.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { jest } from '@jest/globals';
import {
  BODY_STREAM,
  RedisBodySink,
  RedisEntryReader,
  RedisUsageSink,
  USAGE_STREAM,
  type BodyCapture,
  type UsageSinkOptions,
} from '#libs/ledger/index.js';
import { uuidv7 } from '#libs/platform/ids.js';
import { createRedis, redisReady, type RedisPurpose } from '#libs/stores/index.js';
import { eventually, listeningLogger, redisRig, usageEvent, type Redis, type RedisRig } from './ledger-rig.js';

// Long enough for a busy machine; nothing here measures speed.
jest.setTimeout(60_000);

/** The bundled Valkey that this process has started. */
function valkeyPid(): number {
  const processes = existsSync('/proc/self/stat')
    ? readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .flatMap((pid) => {
          try {
            const parent = readFileSync(`/proc/${pid}/stat`, 'utf8')
              .replace(/^.*\) /s, '')
              .split(' ')[1];
            return [[pid, parent, readFileSync(`/proc/${pid}/cmdline`, 'utf8')]];
          } catch {
            return []; // it has ended
          }
        })
    : execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' })
        .split('\n')
        .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line)?.slice(1) ?? ['', '', '']);
  const found = processes.find(
    ([, parent, command]) => Number(parent) === process.pid && command?.includes('host-main'),
  );
  if (found === undefined) throw new Error('the bundled Valkey is not among the children of this process');
  return Number(found[0]);
}

let rig: RedisRig;
const opened: Redis[] = [];

beforeAll(async () => {
  rig = await redisRig();
});
afterAll(() => rig.stop());
beforeEach(() => rig.redis.flushall());
afterEach(() => {
  rig.gate.open();
  for (const redis of opened.splice(0)) redis.disconnect();
});

async function connect(purpose: RedisPurpose = 'background'): Promise<Redis> {
  const redis = await redisReady(createRedis(rig.gatedUrl, purpose), rig.gatedUrl);
  opened.push(redis);
  return redis;
}

async function usageSink(
  options: Partial<UsageSinkOptions> & { purpose?: RedisPurpose } = {},
): Promise<{ sink: RedisUsageSink; lines: string[] }> {
  const { logger, lines } = listeningLogger();
  const { purpose, ...rest } = options;
  return { sink: new RedisUsageSink({ redis: await connect(purpose), writer: 'inst_1', logger, ...rest }), lines };
}

async function entries(stream: string): Promise<Record<string, string>[]> {
  const raw = await rig.redis.xrange(stream, '-', '+');
  return raw.map(([, flat]) =>
    Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]])),
  );
}

async function idsInStream(): Promise<string[]> {
  return (await entries(USAGE_STREAM)).flatMap(({ b }) =>
    (JSON.parse(b as string) as { id: string }[]).map(({ id }) => id),
  );
}

describe('usage sink', () => {
  it('KEY-6: sends what was recorded as one entry per 500 events, in order and unchanged', async () => {
    const { sink } = await usageSink();
    const events = Array.from({ length: 1200 }, () => usageEvent());
    for (const event of events) sink.record(event);
    expect(await sink.close(10_000)).toBe(0);
    const sent = await entries(USAGE_STREAM);
    expect(sent.map(({ w, s, b }) => [w, s, (JSON.parse(b as string) as unknown[]).length])).toEqual([
      ['inst_1', '1', 500],
      ['inst_1', '2', 500],
      ['inst_1', '3', 200],
    ]);
    expect(sent.flatMap(({ b }) => JSON.parse(b as string) as unknown[])).toEqual(events);
    expect(sink.stats()).toEqual({
      waitingEvents: 0,
      waitingBytes: 0,
      sentEvents: 1200,
      droppedEvents: 0,
      failedFlushes: 0,
    });
  });

  it('KEY-6: a single event is in the stream within moments, without anybody waiting for it', async () => {
    const { sink } = await usageSink();
    const event = usageEvent();
    expect(sink.record(event)).toBeUndefined();
    await eventually('the event is in the stream', 30_000, async () => (await idsInStream()).includes(event.id));
    await sink.close(10_000);
  });

  it('KEY-6: an XADD whose answer is lost is sent again', async () => {
    const { sink, lines } = await usageSink();
    const lost = rig.gate.trap('evalsha', 'lose the answer');
    const event = usageEvent();
    sink.record(event);
    await lost;
    expect(await sink.close(10_000)).toBe(0);
    expect(new Set(await idsInStream())).toEqual(new Set([event.id]));
    expect(sink.stats().failedFlushes).toBeGreaterThan(0);
    expect(lines.join('')).toContain('usage events flow again');
  });

  it('OPS-3: while Redis is away events wait within the bound, calls are refused in time, and nothing is lost', async () => {
    const { sink } = await usageSink({ maxEvents: 100 });
    rig.gate.shut();
    const events = Array.from({ length: 100 }, () => usageEvent());
    for (const event of events.slice(0, 74)) sink.record(event);
    expect(sink.hasRoom()).toBe(true);
    for (const event of events.slice(74)) sink.record(event); // calls that were already running
    expect(sink.hasRoom()).toBe(false);
    expect(sink.stats()).toMatchObject({ waitingEvents: 100, droppedEvents: 0 });
    rig.gate.open();
    await eventually('there is room again', 20_000, () => sink.hasRoom());
    expect(await sink.close(10_000)).toBe(0);
    expect(new Set(await idsInStream())).toEqual(new Set(events.map(({ id }) => id)));
  });

  it('OPS-3: beyond the bound an event is dropped, counted and logged once', async () => {
    const { sink, lines } = await usageSink({ maxBytes: 5000 });
    rig.gate.shut();
    for (let i = 0; i < 20; i++) sink.record(usageEvent());
    const { waitingEvents, waitingBytes, droppedEvents } = sink.stats();
    expect(waitingBytes).toBeLessThanOrEqual(5000);
    expect(waitingEvents + droppedEvents).toBe(20);
    expect(lines.filter((line) => line.includes('usage event lost'))).toHaveLength(1);
    expect(await sink.close(100)).toBe(waitingEvents);
  });

  it('OPS-3: close gives up at its deadline and says how many events are left', async () => {
    const { sink, lines } = await usageSink();
    rig.gate.shut();
    sink.record(usageEvent());
    sink.record(usageEvent());
    const begun = performance.now();
    expect(await sink.close(200)).toBe(2);
    expect(performance.now() - begun).toBeLessThan(10_000);
    expect(sink.hasRoom()).toBe(false);
    expect(lines.join('')).toContain('usage events lost');
  });

  it('OPS-3: a Redis that is frozen (SIGSTOP) holds up neither calls nor, once it goes on, events', async () => {
    const { sink } = await usageSink({ purpose: 'commands' });
    const pid = valkeyPid();
    const events = Array.from({ length: 50 }, () => usageEvent());
    process.kill(pid, 'SIGSTOP');
    try {
      for (const event of events) sink.record(event);
      await eventually('an attempt has failed', 20_000, () => sink.stats().failedFlushes > 1);
      expect(sink.stats()).toMatchObject({ waitingEvents: 50, droppedEvents: 0 });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    expect(await sink.close(10_000)).toBe(0);
    expect(new Set(await idsInStream())).toEqual(new Set(events.map(({ id }) => id)));
  });

  it('OPS-3: a stream at its bound takes no more until a worker has made room', async () => {
    const { sink, lines } = await usageSink({
      maxStreamBytes: 3 * JSON.stringify(usageEvent()).length,
      flushEvents: 2,
    });
    const reader = new RedisEntryReader({
      blocking: await connect('blocking'),
      redis: await connect(),
      stream: USAGE_STREAM,
      group: 'g',
      consumer: 'c',
      count: 10,
      waitMs: 50,
    });
    const events = Array.from({ length: 8 }, () => usageEvent());
    for (const event of events) sink.record(event);
    await eventually('the stream is full', 20_000, () => sink.stats().failedFlushes > 0);
    expect(lines.join('')).toContain('the stream is full');
    expect(await rig.redis.xlen(USAGE_STREAM)).toBe(1);
    const seen: string[] = [];
    await eventually('all has gone through', 30_000, async () => {
      const read = await reader.next();
      for (const entry of read)
        seen.push(...(JSON.parse(String(entry.fields.get('b'))) as { id: string }[]).map(({ id }) => id));
      await reader.done(read);
      return seen.length === events.length;
    });
    expect(seen).toEqual(events.map(({ id }) => id));
    expect(await sink.close(10_000)).toBe(0);
  });
});

describe('entry stream', () => {
  it('OPS-3: a stream that was deleted by hand is not full for ever', async () => {
    await rig.redis.set('{sf:usage}:bytes', 10 ** 12);
    const { sink } = await usageSink();
    const event = usageEvent();
    sink.record(event);
    expect(await sink.close(10_000)).toBe(0);
    expect(await idsInStream()).toEqual([event.id]);
    expect(Number(await rig.redis.get('{sf:usage}:bytes'))).toBeLessThan(5000);
  });
});

describe('entry reader', () => {
  async function readers(deadAfterMs: number): Promise<[RedisEntryReader, RedisEntryReader]> {
    const make = async (consumer: string): Promise<RedisEntryReader> =>
      new RedisEntryReader({
        blocking: await connect('blocking'),
        redis: await connect(),
        stream: USAGE_STREAM,
        group: 'g',
        consumer,
        count: 2,
        waitMs: 20,
        deadAfterMs,
      });
    return [await make('one'), await make('two')];
  }
  const add = (text: string): Promise<unknown> => rig.redis.xadd(USAGE_STREAM, '*', 'b', text);

  it('KEY-6: what a dead reader left is read by another one, and by nobody once it is done', async () => {
    const [one, two] = await readers(100);
    for (const text of ['a', 'b', 'c']) await add(text);
    expect(await one.next()).toHaveLength(2); // and dies
    const seen: string[] = [];
    await eventually('two has seen all', 20_000, async () => {
      const read = await two.next();
      seen.push(...read.map((entry) => String(entry.fields.get('b'))));
      await two.done(read);
      return seen.length === 3;
    });
    expect(seen.sort()).toEqual(['a', 'b', 'c']);
    expect(await rig.redis.xlen(USAGE_STREAM)).toBe(0);
    expect(await rig.redis.get('{sf:usage}:bytes')).toBe('0');
    expect(await two.next()).toEqual([]);
  });

  it('KEY-6: goes on by itself in a Redis that was emptied', async () => {
    const [one] = await readers(100);
    await one.next();
    await rig.redis.flushall();
    await add('after');
    const seen: string[] = [];
    await eventually('it reads again', 20_000, async () => {
      seen.push(...(await one.next()).map((entry) => String(entry.fields.get('b'))));
      return seen.length > 0;
    });
    expect(seen).toEqual(['after']);
  });

  it('the dead letters are bounded in number and size, and say why', async () => {
    const [one] = await readers(100);
    await one.bury(Buffer.alloc(200_000, 'x'), 'too strange');
    const [letter] = await entries('{sf:usage}:dead');
    expect(letter).toMatchObject({ reason: 'too strange', bytes: '200000' });
    expect(letter?.['payload']).toHaveLength(65_536);
  });
});

describe('body sink', () => {
  const capture = (changes: Partial<BodyCapture> = {}): BodyCapture => ({
    id: `req_${uuidv7()}`,
    orgId: 'org_default',
    keyId: 'key_1',
    model: 'echo',
    requestBody: Buffer.from('{"a":1}'),
    responseBody: Buffer.from('data: x\n\n'),
    truncated: false,
    ...changes,
  });

  it('OBS-1: sends each pair as one entry, long bodies gzipped and cut at the limit', async () => {
    const sink = new RedisBodySink({ redis: await connect(), logger: listeningLogger().logger, maxBodyBytes: 40_000 });
    const long = Buffer.from('long '.repeat(10_000));
    const pairs = [capture(), capture({ requestBody: long, responseBody: Buffer.alloc(0) })];
    for (const pair of pairs) sink.capture(pair);
    expect(await sink.close(10_000)).toBe(0);
    const raw = await rig.redis.xrangeBuffer(BODY_STREAM, '-', '+');
    expect(raw).toHaveLength(2);
    const [, fields] = raw[1] as [Buffer, Buffer[]];
    expect(JSON.parse(String(fields[1]))).toMatchObject({
      id: pairs[1]?.id,
      request: { bytes: 40_000, gzipped: true, truncated: true },
      response: { bytes: 0, gzipped: false, truncated: false },
    });
    expect(gunzipSync(fields[3] as Buffer).equals(long.subarray(0, 40_000))).toBe(true);
    expect((fields[3] as Buffer).length).toBeLessThan(1000);
    expect(sink.stats()).toEqual({
      waitingPairs: 0,
      waitingBytes: 0,
      sentPairs: 2,
      shedProcessFull: 0,
      shedStreamFull: 0,
    });
  });

  it('OPS-3: sheds and counts what is beyond the bound of the process while Redis is away', async () => {
    const { logger, lines } = listeningLogger();
    const sink = new RedisBodySink({ redis: await connect(), logger, maxBodyBytes: 100_000, maxBytes: 50_000 });
    rig.gate.shut();
    for (let i = 0; i < 10; i++) sink.capture(capture({ requestBody: randomBytes(10_000) }));
    expect(sink.stats()).toMatchObject({ waitingPairs: 4, shedProcessFull: 6 });
    expect(sink.stats().waitingBytes).toBeLessThanOrEqual(50_000);
    expect(lines.filter((line) => line.includes('bodies are not archived'))).toHaveLength(1);
    rig.gate.open();
    expect(await sink.close(10_000)).toBe(0);
    expect(await rig.redis.xlen(BODY_STREAM)).toBe(4);
  });

  it('OPS-3: sheds and counts what is beyond the bound of the stream', async () => {
    const sink = new RedisBodySink({
      redis: await connect(),
      logger: listeningLogger().logger,
      maxBodyBytes: 100_000,
      maxStreamBytes: 25_000,
    });
    for (let i = 0; i < 5; i++) sink.capture(capture({ requestBody: randomBytes(10_000) }));
    expect(await sink.close(10_000)).toBe(0);
    expect(sink.stats()).toMatchObject({ sentPairs: 2, shedStreamFull: 3, waitingBytes: 0 });
    expect(Number(await rig.redis.get('{sf:bodies}:bytes'))).toBeLessThanOrEqual(25_000);
  });

  it('OPS-3: close gives up at its deadline', async () => {
    const sink = new RedisBodySink({ redis: await connect(), logger: listeningLogger().logger, maxBodyBytes: 1000 });
    rig.gate.shut();
    sink.capture(capture());
    expect(await sink.close(100)).toBe(1);
  });
});
