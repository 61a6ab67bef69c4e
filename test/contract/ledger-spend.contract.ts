// The API of spend on a ledger of made-up calls: days, groups, pages, files, and what is refused.
import { Module } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { jest } from '@jest/globals';
import type { AdminPrincipal } from '#libs/http/index.js';
import { LedgerModule, PostgresSpendReports } from '#libs/ledger/index.js';
import { MONGO, POSTGRES } from '#libs/stores/index.js';
import { listeningLogger, usageEvent, uuidAt } from './ledger-rig.js';
import { ALL, madeUp, numbers, reported, SpendRig } from './spend-rig.js';

jest.setTimeout(120_000);

const admin: AdminPrincipal = { kind: 'token', id: 'tok_1', name: 'test', orgId: 'org_default', role: 'proxy_admin' };
let rig: SpendRig;
let app: NestFastifyApplication;
let zone = 'UTC';

beforeAll(async () => {
  rig = await SpendRig.start();
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
  await rig.empty();
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
    await rig.writer.insert(moments.map((at) => usageEvent({ id: `req_${uuidAt(Date.parse(at))}`, ...cost })));
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
    await rig.writer.insert([
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
    await rig.writer.insert(Array.from({ length: 300 }, () => madeUp(random)));
    const all = await reported(rig.reports, ['team', 'model'], ALL);
    for (const limit of [1, 2, 3, 4, 7])
      expect(await reported(rig.reports, ['team', 'model'], ALL, limit)).toEqual(all);
    const dearest = (await report('?group_by=team,model&from=2026-01-01&to=2027-01-01')).items.map(({ costUsd }) =>
      Number(costUsd),
    );
    expect(dearest).toEqual([...dearest].sort((a, b) => b - a));
  });

  it('KEY-7: CSV has every group, and a name that begins like a formula is no formula', async () => {
    await rig.writer.insert([
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
    await rig.writer.insert(Array.from({ length: 300 }, () => madeUp(random)));
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
    await rig.writer.insert([usageEvent({ team: 'a' }), usageEvent({ team: 'b' })]);
    const { nextCursor } = await report('?group_by=team&limit=1');
    expect((await get(`?group_by=user&limit=1&cursor=${nextCursor}`)).status).toBe(400);
    expect((await get(`?group_by=team&sort=group&limit=1&cursor=${nextCursor}`)).status).toBe(400);
    expect((await get(`?group_by=team&limit=1&cursor=${nextCursor}`)).status).toBe(200);
  });

  it('OPS-3: PostgreSQL away: store_unavailable, not an empty report', async () => {
    const away = new PostgresSpendReports({ query: () => Promise.reject(new Error('away')) });
    await expect(
      rig.reports.page({ ...ALL, orgId: 'x', groupBy: ['team'], sort: 'cost', limit: 1 }),
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
