// Reports against the rows they are made of: whatever is sent, resent, corrected or races, sums of roll-ups equal sums of rows.
import { Module } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { jest } from '@jest/globals';
import type { AdminPrincipal } from '#libs/http/index.js';
import {
  LedgerModule,
  openPartitions,
  PostgresRowWriter,
  PostgresSpendReports,
  ROLLUP_TABLE,
  SPEND_DIMENSIONS,
  USAGE_TABLE,
  type LedgerRow,
  type SpendDimension,
  type UsageEvent,
} from '#libs/ledger/index.js';
import { MONGO, POSTGRES, timePartitions } from '#libs/stores/index.js';
import { listeningLogger, storesRig, usageEvent, uuidAt, type StoresRig } from './ledger-rig.js';
import { LedgerWriter } from './ledger-writer.js';

jest.setTimeout(120_000);

const admin: AdminPrincipal = { kind: 'token', id: 'tok_1', name: 'test', orgId: 'org_default', role: 'proxy_admin' };
let rig: StoresRig;
let app: NestFastifyApplication;
let writer: LedgerWriter;
let rowWriter: PostgresRowWriter;
let reports: PostgresSpendReports;
let zone = 'UTC';

beforeAll(async () => {
  rig = await storesRig();
  await openPartitions(rig.source, USAGE_TABLE);
  await openPartitions(rig.source, ROLLUP_TABLE);
  const partitions = timePartitions(rig.source, 'usage_events', 'day');
  writer = new LedgerWriter(rig.source, partitions);
  rowWriter = new PostgresRowWriter({ source: rig.source, partitions });
  reports = new PostgresSpendReports(rig.source);
  const ledger = LedgerModule.forRoot({
    logger: listeningLogger().logger,
    archiveRetentionDays: () => 30,
    zoneOfOrg: { useFactory: () => () => zone },
  });
  const stores = {
    module: class Stores {},
    global: true,
    providers: [
      { provide: POSTGRES, useValue: rig.source },
      { provide: MONGO, useValue: null },
    ],
    exports: [POSTGRES, MONGO],
  };
  Module({})(stores.module);
  const built = await Test.createTestingModule({ imports: [stores, ledger] }).compile();
  app = built.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), { logger: false });
  const fastify = app.getHttpAdapter().getInstance();
  fastify.decorateRequest('adminPrincipal', null);
  fastify.addHook('onRequest', async (request) => void (request.adminPrincipal = admin));
  await app.init();
});
afterAll(async () => {
  await app?.close();
  await rig?.stop();
});
beforeEach(async () => {
  zone = 'UTC';
  await rig.source.query('TRUNCATE usage_events, usage_rollups, usage_dimensions, usage_dimension_tags');
});

function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

const pick = <T>(random: () => number, list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
const nullable = [null, 'a', 'b|c', '=x', 'ü\n'] as const;

/** A call at some moment around the changes of the clocks, mostly within a few days. */
function madeUp(random: () => number, changes: Partial<UsageEvent> = {}): UsageEvent {
  const around = pick(random, ['2026-03-29', '2026-10-25', '2026-11-01', '2026-11-20'].map(Date.parse));
  const timeMs = around + Math.floor((random() - 0.5) * 5 * 86_400_000);
  const key = pick(random, ['k1', 'k2', 'k3']);
  const hasUsage = random() < 0.8;
  return usageEvent({
    id: `req_${uuidAt(timeMs)}`,
    orgId: random() < 0.9 ? 'org_default' : 'org_other',
    team: pick(random, nullable),
    user: pick(random, nullable),
    app: pick(random, nullable),
    keyId: `key_${key}`,
    keyName: key,
    provider: pick(random, ['p1', 'p2']),
    model: pick(random, ['m1', 'm2', 'm"3']),
    tags: ['x', 'y', 'x', 'z'].filter(() => random() < 0.4),
    status: pick(random, [200, 200, 200, 429, 499]),
    error: pick(random, [null, null, null, 'client_gone', 'upstream_cut'] as const),
    priceVersion: random() < 0.7 ? 'v1' : null,
    usage: hasUsage
      ? { ...(usageEvent().usage as NonNullable<UsageEvent['usage']>), inputTokens: Math.floor(random() * 1e6) }
      : null,
    costNanos: Math.floor(random() * 1e10),
    ...changes,
  });
}

interface StoredRow {
  readonly ts: Date;
  readonly org_id: string;
  readonly state: string;
  readonly team: string | null;
  readonly owner_user: string | null;
  readonly owner_app: string | null;
  readonly key_id: string;
  readonly provider: string;
  readonly model: string;
  readonly tags: string[];
  readonly cost_nanos: string;
  readonly input_tokens: string | null;
  readonly usage_raw: string | null;
  readonly price_version: string | null;
}

/** The groups of a row in one dimension, as somebody would say who never heard of roll-ups. */
function groupsOf(row: StoredRow, dimension: SpendDimension, timeZone: string): string[] {
  switch (dimension) {
    case 'team':
      return [row.team ?? ''];
    case 'user':
      return [row.owner_user ?? ''];
    case 'app':
      return [row.owner_app ?? ''];
    case 'key':
      return [row.key_id];
    case 'tag':
      return row.tags.length === 0 ? [''] : [...new Set(row.tags)];
    case 'day':
      return [new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' }).format(row.ts)];
    default:
      return [row[dimension]];
  }
}

/** group → [calls, cost, input tokens, unpriced, unknown], by brute force over the rows. */
async function bruteForce(
  groupBy: readonly SpendDimension[],
  { fromMs, toMs, timeZone }: { fromMs: number; toMs: number; timeZone: string },
): Promise<Map<string, string>> {
  const rows = (await rig.source.query(
    `SELECT * FROM usage_events WHERE org_id = 'org_default' AND state <> 'slice' AND ts >= $1 AND ts < $2`,
    [new Date(fromMs), new Date(toMs)],
  )) as StoredRow[];
  const sums = new Map<string, [number, bigint, bigint, number, number]>();
  for (const row of rows) {
    const [firsts, seconds] = [0, 1].map((at) => {
      const dimension = groupBy[at];
      return dimension === undefined ? [''] : groupsOf(row, dimension, timeZone);
    }) as [string[], string[]];
    for (const first of firsts) {
      for (const second of seconds) {
        const name = JSON.stringify([first, second].slice(0, groupBy.length));
        const sum = sums.get(name) ?? [0, 0n, 0n, 0, 0];
        sum[0] += 1;
        sum[1] += BigInt(row.cost_nanos);
        sum[2] += BigInt(row.input_tokens ?? 0);
        sum[3] += row.usage_raw !== null && row.price_version === null ? 1 : 0;
        sum[4] += row.state === 'unknown' ? 1 : 0;
        sums.set(name, sum);
      }
    }
  }
  return new Map([...sums].map(([name, sum]) => [name, sum.join(' ')]));
}

async function reported(
  groupBy: readonly SpendDimension[],
  range: { fromMs: number; toMs: number; timeZone: string },
  limit = 1000,
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  let cursor: string | null = null;
  do {
    const page = await reports.page({
      ...range,
      orgId: 'org_default',
      groupBy,
      sort: limit % 2 === 0 ? 'cost' : 'group',
      limit,
      ...(cursor === null ? {} : { cursor }),
    });
    for (const row of page.rows) {
      const { calls, costNanos, inputTokens, unpricedCalls, unknownCalls } = row;
      expect(found.has(JSON.stringify(row.groups))).toBe(false);
      found.set(JSON.stringify(row.groups), [calls, costNanos, inputTokens, unpricedCalls, unknownCalls].join(' '));
    }
    cursor = page.nextCursor;
  } while (cursor !== null);
  return found;
}

const sorted = (map: Map<string, string>): [string, string][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
const ALL = { fromMs: Date.parse('2026-01-01T00:00:00Z'), toMs: Date.parse('2027-01-01T00:00:00Z'), timeZone: 'UTC' };

async function expectEqual(timeZones: readonly string[]): Promise<void> {
  for (const timeZone of timeZones) {
    const range = { ...ALL, timeZone };
    for (const first of SPEND_DIMENSIONS) {
      for (const second of [null, ...SPEND_DIMENSIONS]) {
        // the zone matters for days only
        if (second === first || (timeZone !== 'UTC' && first !== 'day')) continue;
        const groupBy = second === null ? [first] : [first, second];
        expect([groupBy, sorted(await reported(groupBy, range))]).toEqual([
          groupBy,
          sorted(await bruteForce(groupBy, range)),
        ]);
      }
    }
  }
}

const asRow = (event: UsageEvent, state: LedgerRow['state'] = 'settled'): LedgerRow => ({
  state,
  processId: 'inst_1',
  boundNanos: event.costNanos,
  budgets: ['b|life'],
  event,
});
const batch = (rows: readonly LedgerRow[]) => [{ processId: 'inst_1', from: 0, to: 1, rows, ceilings: [] }];

describe('roll-ups', () => {
  it('KEY-7: equal the rows to the nano-dollar in every dimension and pair, whatever is sent twice, corrected or raced', async () => {
    const random = numbers(20261121);
    const events = Array.from({ length: 400 }, () => madeUp(random));
    const jobs: (() => Promise<unknown>)[] = [];
    for (let at = 0; at < events.length; at += 20) {
      const part = events.slice(at, at + 20);
      const viaRows = random() < 0.5;
      // first the intents of some, then the truth of all, then everything again; all at the same time
      const unknown = part.filter(() => random() < 0.5).map((event) => ({ ...event, usage: null, costNanos: 5e10 }));
      jobs.push(async () => {
        if (viaRows) await rowWriter.commit(batch(unknown.map((event) => asRow(event, 'unknown'))));
        else await writer.insert(unknown, 'unknown');
        if (random() < 0.2) return; // never settled
        if (viaRows) await rowWriter.commit(batch(part.map((event) => asRow(event))));
        else await writer.insert(part);
      });
      jobs.push(() => writer.insert(part.slice(0, 10)));
      jobs.push(() => rowWriter.commit(batch(part.slice(5, 15).map((event) => asRow(event)))));
    }
    while (jobs.length > 0) {
      const running = jobs.splice(0, 4).map((job) => job().catch((error: unknown) => String(error)));
      const faults = (await Promise.all(running)).filter((fault) => typeof fault === 'string');
      for (const fault of faults) expect(fault).toContain('deadlock'); // told to somebody who tries again
    }
    const [{ n }] = (await rig.source.query('SELECT count(*)::int AS n FROM usage_events')) as [{ n: number }];
    expect(n).toBeGreaterThan(350);
    await expectEqual(['UTC', 'Europe/Berlin', 'Asia/Kathmandu']);
  });

  it('KEY-7: a correction takes the call out of the groups it was booked in', async () => {
    const event = usageEvent({ id: `req_${uuidAt(Date.parse('2026-11-20T12:00:00Z'))}`, tags: ['t'] });
    await writer.insert([{ ...event, provider: 'asked', usage: null, costNanos: 77 }], 'unknown');
    expect(await reported(['provider'], ALL)).toEqual(new Map([['["asked"]', '1 77 0 0 1']]));
    expect(await writer.insert([{ ...event, provider: 'served', costNanos: 5 }])).toMatchObject({ replaced: 1 });
    const now = await reported(['provider'], ALL);
    expect([now.get('["served"]'), now.get('["asked"]')]).toEqual(['1 5 12 0 0', '0 0 0 0 0']);
    expect(await writer.insert([{ ...event, costNanos: 999 }], 'unknown')).toMatchObject({ inserted: 0, replaced: 0 });
    expect(await reported(['provider'], ALL)).toEqual(now);
  });

  it('KEY-6: a slice held back for a lost disk is nobody’s spending', async () => {
    await writer.insert([usageEvent({ costNanos: 7 })], 'slice');
    expect(await reported(['team'], ALL)).toEqual(new Map());
  });

  it('KEY-7: absurd counts of a provider are summed, not refused', async () => {
    const most = Number.MAX_SAFE_INTEGER;
    const usage = { ...(usageEvent().usage as NonNullable<UsageEvent['usage']>), inputTokens: most, outputTokens: -5 };
    const events = Array.from({ length: 1500 }, () => usageEvent({ usage, costNanos: most }));
    expect(await writer.insert(events)).toMatchObject({ inserted: 1500 });
    const page = await reports.page({ ...ALL, orgId: 'org_default', groupBy: ['team'], sort: 'cost', limit: 1 });
    expect(page.totals.costNanos).toBe(1500n * BigInt(most));
    expect(page.totals.outputTokens).toBe(-7500);
  });

  it('KEY-7: rows that were there before the roll-ups are in them', async () => {
    const random = numbers(5);
    await writer.insert(Array.from({ length: 200 }, () => madeUp(random, { user: null, app: null })));
    const before = await reported(['tag', 'day'], { ...ALL, timeZone: 'Asia/Kolkata' });
    await rig.source.query('TRUNCATE usage_rollups, usage_dimensions, usage_dimension_tags');
    const { Rollups1760000000005 } = await import('#libs/stores/migrations/0005-rollups.js');
    const runner = rig.source.createQueryRunner();
    try {
      await runner.startTransaction();
      await (new Rollups1760000000005() as unknown as { fill(sql: typeof runner): Promise<void> }).fill(runner);
      await runner.commitTransaction();
    } finally {
      await runner.release();
    }
    expect(await reported(['tag', 'day'], { ...ALL, timeZone: 'Asia/Kolkata' })).toEqual(before);
    // and later rows of the same dimensions join them
    const [count] = (await rig.source.query('SELECT count(*)::int AS n FROM usage_dimensions')) as [{ n: number }];
    await writer.insert(Array.from({ length: 200 }, () => madeUp(numbers(5), { user: null, app: null })).slice(0, 1));
    expect(await rig.source.query('SELECT count(*)::int AS n FROM usage_dimensions')).toEqual([count]);
  });
});

async function get(query: string): Promise<{ status: number; body: string; type: string }> {
  const answer = await app.inject({ method: 'GET', url: `/api/spend${query}` });
  return { status: answer.statusCode, body: answer.body, type: String(answer.headers['content-type']) };
}
interface Report {
  items: Record<string, unknown>[];
  totals: Record<string, unknown>;
  from: string;
  to: string;
  timeZone: string;
  nextCursor: string | null;
}
const report = async (query: string): Promise<Report> => JSON.parse((await get(query)).body) as Report;

describe('GET /api/spend', () => {
  it('KEY-7: days are those of the organisation’s zone, also when the clocks change', async () => {
    zone = 'Europe/Berlin';
    const cost = { priceVersion: 'v', costNanos: 1_000_000_000 };
    const moments = [
      '2026-10-24T22:00:00Z',
      '2026-10-25T22:59:59.999Z',
      '2026-10-25T23:00:00Z',
      '2026-10-24T21:59:59Z',
    ];
    await writer.insert(moments.map((at) => usageEvent({ id: `req_${uuidAt(Date.parse(at))}`, ...cost })));
    const query = '?group_by=day&from=2026-10-24&to=2026-10-27';
    const { items, from, to, timeZone } = await report(query);
    expect(items.map(({ day, calls }) => [day, calls])).toEqual([
      ['2026-10-24', 1],
      ['2026-10-25', 2],
      ['2026-10-26', 1],
    ]);
    expect([from, to, timeZone]).toEqual(['2026-10-23T22:00:00.000Z', '2026-10-26T23:00:00.000Z', 'Europe/Berlin']);
    expect((await report(`${query}&time_zone=UTC`)).items.map(({ day, calls }) => [day, calls])).toEqual([
      ['2026-10-24', 2],
      ['2026-10-25', 2],
    ]);
  });

  it('KEY-7: a report names groups, sums and totals; a call with two tags is in both and counts once in the totals', async () => {
    await writer.insert([
      usageEvent({ tags: ['x', 'y'], team: 'red', costNanos: 1_850_000 }),
      usageEvent({ tags: ['x'], team: null, costNanos: 150_000, priceVersion: null }),
    ]);
    const byTag = await report('?group_by=tag');
    expect(byTag.items.map(({ tag, calls, costUsd }) => [tag, calls, costUsd])).toEqual([
      ['x', 2, '0.002'],
      ['y', 1, '0.00185'],
    ]);
    expect(byTag.totals).toMatchObject({
      calls: 2,
      costUsd: '0.002',
      unpricedCalls: 1,
      inputTokens: 24,
      cacheWriteTokens: 6,
    });
    const byTeam = await report('?group_by=team,key');
    expect(byTeam.items[0]).toMatchObject({
      team: 'red',
      key: 'ci',
      keyId: 'key_0198c0de-0000-7000-8000-000000000001',
    });
    expect(byTeam.items[1]).toMatchObject({ team: null, calls: 1 });
    expect((await report('?group_by=team&tag=y')).totals).toMatchObject({ calls: 1 });
    expect((await report('?group_by=team&key=ci&team=red')).totals).toMatchObject({ calls: 1 });
    expect((await report('?group_by=team&key=nobody')).items).toEqual([]);
    expect((await report('?group_by=team&key=nobody')).totals).toMatchObject({ calls: 0, costUsd: '0' });
  });

  it('KEY-7: pages by cursor, in both orders, without a gap or a double', async () => {
    const random = numbers(9);
    await writer.insert(Array.from({ length: 300 }, () => madeUp(random)));
    const all = await reported(['team', 'model'], ALL);
    for (const limit of [1, 2, 3, 4, 7]) expect(await reported(['team', 'model'], ALL, limit)).toEqual(all);
    const dearest = (await report('?group_by=team,model&from=2026-01-01&to=2027-01-01')).items.map(({ costUsd }) =>
      Number(costUsd),
    );
    expect(dearest).toEqual([...dearest].sort((a, b) => b - a));
  });

  it('KEY-7: CSV has every group, and a name that begins like a formula is no formula', async () => {
    await writer.insert([
      usageEvent({ team: '=HYPERLINK("http://x","y")', costNanos: 1 }),
      usageEvent({ team: '@a', costNanos: 2 }),
      usageEvent({ team: '-1', costNanos: 3 }),
      usageEvent({ team: '+1', costNanos: 4 }),
      usageEvent({ team: 'a,"b"', costNanos: 5 }),
      usageEvent({ team: null, costNanos: 6 }),
    ]);
    const { body, type } = await get('?group_by=team&format=csv');
    expect(type).toBe('text/csv; charset=utf-8');
    const [header, ...lines] = body.trimEnd().split('\r\n');
    expect(header).toBe(
      'team,calls,failed_calls,unpriced_calls,unknown_calls,input_tokens,cached_input_tokens,cache_write_tokens,output_tokens,reasoning_tokens,cost_usd',
    );
    expect(lines.map((line) => line.replace(/,1,0,0,0,.*,/, ' '))).toEqual([
      ' 0.000000006',
      '"a,""b""" 0.000000005',
      "'+1 0.000000004",
      "'-1 0.000000003",
      "'@a 0.000000002",
      '"\'=HYPERLINK(""http://x"",""y"")" 0.000000001',
    ]);
  });

  it('KEY-7: the FOCUS export has a line per day, key and model, and its costs add up to the ledger', async () => {
    zone = 'Europe/Berlin';
    const random = numbers(3);
    await writer.insert(Array.from({ length: 300 }, () => madeUp(random)));
    const { body, type, status } = await get('/export?format=focus&from=2026-01-01&to=2027-01-01');
    expect([status, type]).toEqual([200, 'text/csv; charset=utf-8']);
    const [header = '', ...lines] = body
      .trimEnd()
      .split('\r\n')
      .map((line) => parseCsvLine(line));
    for (const name of [
      'BilledCost',
      'ChargePeriodStart',
      'BillingCurrency',
      'ServiceCategory',
      'ProviderName',
      'Tags',
    ])
      expect(header).toContain(name);
    const at = (line: readonly string[], name: string): string => line[header.indexOf(name)] ?? '';
    const cost = lines.reduce((sum, line) => sum + nanosOf(at(line, 'BilledCost')), 0n);
    const [{ total }] = (await rig.source.query(
      `SELECT sum(cost_nanos)::text AS total FROM usage_events WHERE org_id = 'org_default'`,
    )) as [{ total: string }];
    expect(cost).toBe(BigInt(total));
    for (const line of lines) {
      expect(line).toHaveLength(header.length);
      expect(at(line, 'ChargePeriodStart') < at(line, 'ChargePeriodEnd')).toBe(true);
      expect(at(line, 'BillingPeriodStart') <= at(line, 'ChargePeriodStart')).toBe(true);
      expect(
        new Intl.DateTimeFormat('en', { timeZone: zone, hour: 'numeric', hourCycle: 'h23' }).format(
          Date.parse(at(line, 'ChargePeriodStart')),
        ),
      ).toBe('00');
      JSON.parse(at(line, 'Tags'));
    }
  });

  it.each([
    ['?group_by=colour', 'group_by'],
    ['?group_by=team,team', 'group_by'],
    ['?group_by=team,day,key', 'group_by'],
    ['?time_zone=Mars/Olympus', 'time_zone'],
    ['?time_zone=%2B02:00', 'time_zone'],
    ['?from=2026-02-30', 'from'],
    ['?from=yesterday', 'from'],
    ['?from=2026-11-02&to=2026-11-01', 'from'],
    ['?from=2026-11-01T10:07:00Z', 'from'],
    ['?from=1999-01-01&to=1999-02-01', 'to'],
    ['?from=2000-01-01&to=2199-01-01', 'from'],
    ['?limit=0', 'limit'],
    ['?cursor=abc', 'cursor'],
    ['?format=xml', 'format'],
    ['?sort=random', 'sort'],
    ['?team=', 'team'],
    ['?team=a%00b', 'team'],
    ['?colour=red', 'colour'],
    ['/export?format=csv', 'format'],
  ])('KEY-7: %s is refused with the field named', async (query, field) => {
    const { status, body } = await get(query);
    const problem = JSON.parse(body) as { code: string; detail: string };
    expect([status, problem.code]).toEqual([400, 'invalid_request']);
    expect(problem.detail).toContain(field);
  });

  it('KEY-7: a cursor of another list is refused', async () => {
    await writer.insert([usageEvent({ team: 'a' }), usageEvent({ team: 'b' })]);
    const { nextCursor } = await report('?group_by=team&limit=1');
    expect((await get(`?group_by=user&limit=1&cursor=${nextCursor}`)).status).toBe(400);
    expect((await get(`?group_by=team&sort=group&limit=1&cursor=${nextCursor}`)).status).toBe(400);
    expect((await get(`?group_by=team&limit=1&cursor=${nextCursor}`)).status).toBe(200);
  });

  it('OPS-3: PostgreSQL away: store_unavailable, not an empty report', async () => {
    const away = new PostgresSpendReports({ query: () => Promise.reject(new Error('away')) });
    await expect(
      reports.page({ ...ALL, orgId: 'x', groupBy: ['team'], sort: 'cost', limit: 1 }),
    ).resolves.toBeDefined();
    await expect(away.page({ ...ALL, orgId: 'x', groupBy: ['team'], sort: 'cost', limit: 1 })).rejects.toMatchObject({
      code: 'store_unavailable',
    });
  });
});

function parseCsvLine(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) =>
    quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'),
  );
}

function nanosOf(usd: string): bigint {
  const [whole = '0', fraction = ''] = usd.split('.');
  return BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
}
