// The reader of the streams and the gateway's end of the bodies' one, on a real Valkey that is full or away.
import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { jest } from '@jest/globals';
import { BODY_STREAM, RedisBodySink, RedisEntryReader, type BodyCapture } from '#libs/ledger/index.js';
import { uuidv7 } from '#libs/platform/ids.js';
import { createRedis, redisReady, type RedisPurpose } from '#libs/stores/index.js';
import { eventually, listeningLogger, redisRig, type Redis, type RedisRig } from './ledger-rig.js';

// Long enough for a busy machine; nothing here measures speed.
jest.setTimeout(60_000);

const STREAM = 'sf:test';
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

async function entries(stream: string): Promise<Record<string, string>[]> {
  const raw = await rig.redis.xrange(stream, '-', '+');
  return raw.map(([, flat]) =>
    Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]])),
  );
}

describe('entry reader', () => {
  async function readers(deadAfterMs: number): Promise<[RedisEntryReader, RedisEntryReader]> {
    const make = async (consumer: string): Promise<RedisEntryReader> =>
      new RedisEntryReader({
        blocking: await connect('blocking'),
        redis: await connect(),
        stream: STREAM,
        group: 'g',
        consumer,
        count: 2,
        waitMs: 20,
        deadAfterMs,
      });
    return [await make('one'), await make('two')];
  }
  const add = (text: string): Promise<unknown> => rig.redis.xadd(STREAM, '*', 'b', text);

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
    expect(await rig.redis.xlen(STREAM)).toBe(0);
    expect(await rig.redis.get('{sf:test}:bytes')).toBe('0');
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
    const [letter] = await entries('{sf:test}:dead');
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

  it('OPS-3: a stream that was deleted by hand is not full for ever', async () => {
    await rig.redis.set('{sf:bodies}:bytes', 10 ** 12);
    const sink = new RedisBodySink({ redis: await connect(), logger: listeningLogger().logger, maxBodyBytes: 1000 });
    sink.capture(capture());
    expect(await sink.close(10_000)).toBe(0);
    expect(await rig.redis.xlen(BODY_STREAM)).toBe(1);
    expect(Number(await rig.redis.get('{sf:bodies}:bytes'))).toBeLessThan(5000);
  });

  it('OPS-3: close gives up at its deadline', async () => {
    const sink = new RedisBodySink({ redis: await connect(), logger: listeningLogger().logger, maxBodyBytes: 1000 });
    rig.gate.shut();
    sink.capture(capture());
    expect(await sink.close(100)).toBe(1);
  });
});
