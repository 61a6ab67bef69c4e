// From the gateway's stream to the ledger's row, exactly once, whoever dies on the way.
import { fork, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { jest } from '@jest/globals';
import {
  BODY_STREAM,
  deadLetterKey,
  LOG_FACETS,
  PostgresArchive,
  PostgresRowWriter,
  RedisBodySink,
  type UsageEvent,
} from '#libs/ledger/index.js';
import { createRedis, redisReady, ROW_STREAM, timePartitions } from '#libs/stores/index.js';
import { startWorker, type RunningWorker } from '../../apps/worker/src/main.js';
import {
  defaultConfig,
  eventually,
  listeningLogger,
  storesRig,
  usageEvent,
  uuidAt,
  type Redis,
  type StoresRig,
} from './ledger-rig.js';
import { RowSender, rowText } from './ledger-writer.js';

// Long enough for a busy machine; nothing here measures speed.
jest.setTimeout(60_000);

const DAY_MS = 86_400_000;
const config = defaultConfig();
let rig: StoresRig;
let redis: Redis;
let lines: string[];
const running: RunningWorker[] = [];
const children: ChildProcess[] = [];

beforeAll(async () => {
  rig = await storesRig();
  redis = await redisReady(createRedis(rig.redis.url, 'background'), rig.redis.url);
  sender = new RowSender(redis);
});
afterAll(async () => {
  redis.disconnect();
  await rig.stop();
});
afterEach(async () => {
  rig.redis.gate.open();
  rig.postgresGate.open();
  await Promise.all(running.splice(0).map((worker) => worker.stop()));
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rig.redis.redis.flushall();
});

async function work(): Promise<void> {
  const listening = listeningLogger();
  lines = listening.lines;
  running.push(await startWorker(config, rig.urls, { logger: listening.logger, deadAfterMs: 500 }));
}

/** A worker in a process of its own. */
async function workApart(): Promise<ChildProcess> {
  const urls = JSON.stringify([rig.urls.postgresOwner.reveal(), rig.urls.redis.reveal()]);
  const file = path.join(process.cwd(), 'test/contract/worker-process.ts');
  const child = fork(file, [urls], {
    execArgv: ['--import', path.join(process.cwd(), 'test/contract/run-typescript.mjs')],
  });
  children.push(child);
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve());
    child.once('exit', (code) => reject(new Error(`the worker ended with ${code}`)));
  });
  return child;
}

let sender: RowSender;
async function send(events: readonly UsageEvent[]): Promise<void> {
  await sender.send(events);
}

async function rowsOf(events: readonly UsageEvent[]): Promise<Record<string, unknown>[]> {
  const ids = events.map(({ id }) => id.slice(4));
  return (await rig.source.query(
    `SELECT *, tableoid::regclass::text AS part FROM usage_events WHERE id = ANY($1) ORDER BY ts, id`,
    [ids],
  )) as never;
}

/** All there, each once, and nothing left in the stream. */
async function expectExactlyOnce(events: readonly UsageEvent[], withinMs = 30_000): Promise<void> {
  await eventually('every event has its row', withinMs, async () => (await rowsOf(events)).length >= events.length);
  await eventually('the stream is empty', withinMs, async () => (await rig.redis.redis.xlen(ROW_STREAM)) === 0);
  expect(await rowsOf(events)).toHaveLength(events.length);
}

describe('worker', () => {
  it('KEY-6: every event becomes one settled row with all it carries', async () => {
    await work();
    const full = usageEvent();
    const bare = usageEvent({
      usage: null,
      usageSource: 'none',
      team: null,
      tags: [],
      error: 'client_gone',
      status: 499,
      upstreamStatus: null,
      firstByteMs: null,
      priceVersion: null,
      chain: null,
      requestId: null,
      traceId: null,
      costNanos: 0,
    });
    await send([full, bare]);
    await expectExactlyOnce([full, bare]);
    const [row, other] = (await rowsOf([full, bare])) as [Record<string, unknown>, Record<string, unknown>];
    expect(row).toMatchObject({
      id: full.id.slice(4),
      state: 'settled',
      org_id: 'org_default',
      tags: ['health-portal', 'x"y'],
      input_tokens: '12',
      cached_input_tokens: '3',
      cache_write_5m_tokens: '2',
      cache_write_1h_tokens: '1',
      output_tokens: '34',
      reasoning_tokens: '5',
      web_search_requests: '1',
      usage_raw: '{"prompt_tokens":12,  "odd":1.0}',
      cost_nanos: '1850000',
      latency_ms: 1234,
      first_byte_ms: 321,
      cache: 'none',
      trace_id: '0af7651916cd43dd8448eb211c80319c',
    });
    expect((row['ts'] as Date).getTime()).toBe(parseInt(full.id.slice(4, 17).replace('-', ''), 16));
    expect(other).toMatchObject({
      state: 'settled',
      status: 499,
      error: 'client_gone',
      usage_raw: null,
      input_tokens: null,
      team: null,
      tags: [],
    });
  });

  it('KEY-6: a batch that is sent twice, as after a lost answer, is booked once', async () => {
    const events = Array.from({ length: 700 }, () => usageEvent());
    await send(events);
    await send(events.slice(100, 300));
    await work();
    await expectExactlyOnce(events);
  });

  it('KEY-6: kill -9 between commit and acknowledgement books nothing twice and loses nothing', async () => {
    const child = await workApart();
    const events = Array.from({ length: 20 }, () => usageEvent());
    const acknowledging = rig.redis.gate.trap('evalsha', 'hold');
    await send(events);
    await acknowledging; // the rows are committed, Redis does not know
    expect(await rowsOf(events)).toHaveLength(20);
    child.kill('SIGKILL');
    expect(await rig.redis.redis.xlen(ROW_STREAM)).toBe(1);
    const later = usageEvent();
    await send([later]);
    await work();
    await expectExactlyOnce([...events, later]);
  });

  it('KEY-6: kill -9 of workers at any moment, with a neighbour at work, leaves each event once', async () => {
    const events = Array.from({ length: 2000 }, () => usageEvent());
    const doomed = await workApart();
    await work();
    for (let at = 0; at < events.length; at += 100) {
      await send(events.slice(at, at + 100));
      if (at === 1000) doomed.kill('SIGKILL');
    }
    await expectExactlyOnce(events);
  });

  it('OPS-3: while PostgreSQL is away nothing is lost; the rows are there once it is back', async () => {
    await work();
    await send([usageEvent()]);
    rig.postgresGate.shut();
    const events = Array.from({ length: 50 }, () => usageEvent());
    await send(events);
    await eventually('the failure is logged', 20_000, () =>
      lines.some((line) => line.includes('writing rows: failed')),
    );
    expect(await rig.redis.redis.xlen(ROW_STREAM)).toBeGreaterThan(0);
    rig.postgresGate.open();
    await expectExactlyOnce(events);
    await eventually('the recovery is logged', 20_000, () => lines.some((line) => line.includes('works again')));
  });

  it('OPS-3: PostgreSQL crashing and recovering under write loses nothing', async () => {
    await work();
    const before = Array.from({ length: 300 }, () => usageEvent());
    await send(before);
    const [{ pid }] = (await rig.source.query('SELECT pg_backend_pid() AS pid')) as [{ pid: number }];
    process.kill(pid, 'SIGKILL'); // the server ends every session, recovers and starts again
    const after = Array.from({ length: 300 }, () => usageEvent());
    await send(after);
    await eventually('PostgreSQL is back', 30_000, () =>
      rig.source.query('SELECT 1').then(
        () => true,
        () => false,
      ),
    );
    await expectExactlyOnce([...before, ...after]);
  });

  it('OPS-3: a connection to Redis that breaks at the acknowledgement does no harm', async () => {
    await work();
    const lost = rig.redis.gate.trap('evalsha', 'lose the answer');
    const events = Array.from({ length: 10 }, () => usageEvent());
    await send(events);
    await lost;
    await expectExactlyOnce(events);
    const more = usageEvent();
    await send([more]);
    await expectExactlyOnce([more]);
  });

  it('KEY-6: goes on by itself after Redis was emptied', async () => {
    await work();
    await send([usageEvent()]);
    await rig.redis.redis.flushall();
    const event = usageEvent();
    await send([event]);
    await expectExactlyOnce([event]);
  });

  it('OPS-3: what cannot be read goes to the dead letters with a log line, and holds nobody up', async () => {
    await work();
    const good = usageEvent();
    await rig.redis.redis.xadd(ROW_STREAM, '*', 'something', 'else');
    const nonsense = rowText(usageEvent({ id: 'req_nonsense' }), sender.processId);
    const much = rowText(usageEvent(), sender.processId).replace(/"c":\d+/, '"c":"much"');
    await sender.ship(['{not json', nonsense, rowText(good, sender.processId), much]);
    await expectExactlyOnce([good]);
    expect(await rig.redis.redis.xlen(deadLetterKey(ROW_STREAM))).toBe(4);
    expect(lines.filter((line) => line.includes('moved to the dead letters'))).toHaveLength(4);
  });

  it('KEY-6: text that PostgreSQL cannot hold does not cost the row', async () => {
    await work();
    const odd = usageEvent({ modelRequested: 'a\0b\ud800', keyName: '\0', traceId: '\udfff' });
    await send([odd, usageEvent()]);
    await expectExactlyOnce([odd]);
    expect((await rowsOf([odd]))[0]).toMatchObject({ model_requested: 'ab\ufffd', key_name: '', trace_id: '\ufffd' });
  });

  it('KEY-6: of a row that PostgreSQL refuses the money is booked, and its neighbours are whole', async () => {
    const events = Array.from({ length: 5 }, () => usageEvent());
    const rows = events.map((event, n) => ({
      state: 'settled' as const,
      processId: 'test',
      boundNanos: 0,
      budgets: [],
      event: n === 3 ? { ...event, latencyMs: 'long' as unknown as number } : event,
    }));
    const partitions = timePartitions(rig.source, 'usage_events', 'day');
    const writer = new PostgresRowWriter({ source: rig.source, partitions });
    const { unfit } = await writer.commit([{ processId: 'test', from: 0, to: 1, rows }]);
    expect(unfit).toEqual([{ row: rows[3], reason: expect.stringContaining('long') as string }]);
    const found = await rowsOf(events);
    expect(found.map(({ cost_nanos }) => cost_nanos)).toEqual(Array(5).fill('1850000'));
    expect(found.map(({ model }) => model)).toEqual(['echo', 'echo', 'echo', '', 'echo']);
  });

  it('KEY-6: events of yesterday and today come into their own partitions, also from one batch', async () => {
    await work();
    const midnight = Math.floor(Date.now() / DAY_MS) * DAY_MS;
    const events = [midnight - 1, midnight, midnight - 3 * DAY_MS].map((timeMs) =>
      usageEvent({ id: `req_${uuidAt(timeMs)}` }),
    );
    await send(events);
    await expectExactlyOnce(events);
    const suffix = (timeMs: number): string => new Date(timeMs).toISOString().slice(0, 10).replaceAll('-', '');
    expect((await rowsOf(events)).map(({ part }) => part)).toEqual(
      [midnight - 3 * DAY_MS, midnight - 1, midnight].map((timeMs) => `usage_events_p${suffix(timeMs)}`),
    );
    const ahead = (await rig.source.query(`SELECT to_regclass($1) AS there`, [
      `usage_events_p${suffix(midnight + 6 * DAY_MS)}`,
    ])) as { there: string }[];
    expect(ahead[0]?.there).not.toBeNull();
  });

  it('OBS-1: bodies come into the archive, and an entry that cannot be read holds nobody up', async () => {
    await work();
    await rig.redis.redis.xadd(BODY_STREAM, '*', 'm', '{}', 'q', '', 'a', '');
    const sink = new RedisBodySink({ redis, logger: listeningLogger().logger, maxBodyBytes: 1 << 20 });
    const { id } = usageEvent();
    const response = Buffer.from('data: chunk\n\n'.repeat(1000));
    sink.capture({
      id,
      orgId: 'org_default',
      keyId: 'key_1',
      model: 'echo',
      requestBody: Buffer.from('{}'),
      responseBody: response,
      truncated: false,
    });
    await sink.close(10_000);
    const archive = new PostgresArchive(rig.source, LOG_FACETS, timePartitions(rig.source, 'archive_records', 'month'));
    await eventually('the bodies are archived', 20_000, async () => (await archive.get('org_default', id)) !== null);
    expect(await archive.get('org_default', id)).toMatchObject({
      facets: { key: 'key_1', model: 'echo' },
      response: { bytes: response.length, truncated: false },
    });
    await eventually('the stream is empty', 20_000, async () => (await rig.redis.redis.xlen(BODY_STREAM)) === 0);
    expect(lines.some((line) => line.includes('cannot be read: dropped'))).toBe(true);
  });

  it('OPS-3: stop moves what is in the stream first, and ends in bounded time when a store is away', async () => {
    await work();
    const events = Array.from({ length: 100 }, () => usageEvent());
    await send(events);
    await running.pop()?.stop();
    expect(await rowsOf(events)).toHaveLength(100);
    await work();
    rig.postgresGate.shut();
    await send([usageEvent()]);
    const begun = performance.now();
    await running.pop()?.stop();
    expect(performance.now() - begun).toBeLessThan(20_000);
  });
});
