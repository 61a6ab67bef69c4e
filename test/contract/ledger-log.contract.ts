// GET /api/logs and /api/logs/{id} over a real store: what an administrator sees of the calls.
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { jest } from '@jest/globals';
import { Module } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { Test } from '@nestjs/testing';
import type { AdminPrincipal } from '#libs/http/index.js';
import { LedgerModule, LOG_FACETS, PostgresArchive, type UsageEvent } from '#libs/ledger/index.js';
import { MONGO, POSTGRES, timePartitioner, timePartitions } from '#libs/stores/index.js';
import { listeningLogger, storesRig, usageEvent, uuidAt, type StoresRig } from './ledger-rig.js';
import { LedgerWriter } from './ledger-writer.js';

// Long enough for a busy machine; nothing here measures speed.
jest.setTimeout(60_000);

interface Item {
  readonly id: string;
  readonly [field: string]: unknown;
}
interface Answer {
  readonly status: number;
  readonly body: { readonly items: Item[]; readonly nextCursor: string | null } & Record<string, unknown>;
}

const DAY_MS = 86_400_000;
const admin: AdminPrincipal = { kind: 'token', id: 'tok_1', name: 'test', orgId: 'org_default', role: 'proxy_admin' };
let rig: StoresRig;
let app: NestFastifyApplication;
let principal = admin;
let archiveDays = 30;
let archive: PostgresArchive;
let writer: LedgerWriter;

beforeAll(async () => {
  rig = await storesRig();
  await (await timePartitioner(rig.source, 'day')).ensure('usage_events');
  archive = new PostgresArchive(rig.source, LOG_FACETS, timePartitions(rig.source, 'archive_records', 'month'));
  writer = new LedgerWriter(rig.source, timePartitions(rig.source, 'usage_events', 'day'));
  const ledger = LedgerModule.forRoot({
    logger: listeningLogger().logger,
    archiveRetentionDays: () => archiveDays,
    zoneOfOrg: { useFactory: () => () => 'UTC' },
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
  fastify.addHook('onRequest', async (request) => void (request.adminPrincipal = principal));
  await app.init();
});
afterAll(async () => {
  await app.close();
  await rig.stop();
});
beforeEach(async () => {
  principal = admin;
  archiveDays = 30;
  await rig.source.query('TRUNCATE usage_events');
});

async function ask(query: Record<string, string | number> = {}, path = '/api/logs'): Promise<Answer> {
  const text = new URLSearchParams(query as Record<string, string>).toString();
  const { statusCode, payload } = await app.inject({ url: text === '' ? path : `${path}?${text}` });
  return { status: statusCode, body: JSON.parse(payload) as Answer['body'] };
}

/** A call that many days ago. */
const daysAgo = (days: number, changes: Partial<UsageEvent> = {}): UsageEvent =>
  usageEvent({ id: `req_${uuidAt(Date.now() - days * DAY_MS)}`, ...changes });

describe('GET /api/logs', () => {
  it('CFG-5: an item has every promised field; the cost is exact', async () => {
    const event = usageEvent({ costNanos: 9_007_199_254_740_991, chain: 'resilient', requestId: 'req_of-another' });
    await writer.insert([event]);
    const { status, body } = await ask();
    expect(status).toBe(200);
    expect(body).toEqual({
      nextCursor: null,
      items: [
        {
          id: event.id,
          time: new Date(parseInt(event.id.slice(4, 17).replace('-', ''), 16)).toISOString(),
          state: 'settled',
          route: '/v1/chat/completions',
          dialect: 'openai',
          status: 200,
          upstreamStatus: 200,
          error: null,
          provider: 'demo',
          model: 'echo',
          modelRequested: 'fast',
          key: 'ci',
          keyId: event.keyId,
          team: 'research',
          user: null,
          app: null,
          tags: ['health-portal', 'x"y'],
          stream: true,
          inputTokens: 12,
          cachedInputTokens: 3,
          cacheWrite5mTokens: 2,
          cacheWrite1hTokens: 1,
          outputTokens: 34,
          reasoningTokens: 5,
          webSearchRequests: 1,
          usageSource: 'measured',
          serviceTier: 'priority',
          costUsd: '9007199.254740991',
          priceVersion: '2026-11-01',
          costEstimates: ['tier_price'],
          bookedCostUsd: null,
          bookedPriceVersion: null,
          latencyMs: 1234,
          firstByteMs: 321,
          attempts: 1,
          chain: 'resilient',
          requestId: 'req_of-another',
          cache: 'none',
          traceId: '0af7651916cd43dd8448eb211c80319c',
        },
      ],
    });
  });

  it('OBS-2: pages newest first over all days without a gap or a copy, while new calls come in', async () => {
    const sameMs = Date.now() - 2 * DAY_MS;
    const events = [
      ...[0, 0, 0, 1, 5, 6, 9, 20, 61, 62, 380].map((days) => daysAgo(days)),
      ...[1, 2, 3, 4, 5].map(() => usageEvent({ id: `req_${uuidAt(sameMs)}` })),
    ];
    await writer.insert(events);
    const newestFirst = events
      .map(({ id }) => id)
      .sort()
      .reverse();
    for (const limit of [1, 3, 5, 16, 200]) {
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const { body } = await ask({ limit, ...(cursor === null ? {} : { cursor }) });
        expect(body.items.length).toBeLessThanOrEqual(limit);
        seen.push(...body.items.map(({ id }) => id));
        cursor = body.nextCursor;
        if (limit === 5) await writer.insert([usageEvent()]); // newer than the page: must not shift the next one
      } while (cursor !== null);
      if (limit <= 5) expect(seen).toEqual(newestFirst);
      else expect(seen.slice(-newestFirst.length)).toEqual(newestFirst);
    }
    expect((await ask()).body.items.length).toBeLessThanOrEqual(50);
  });

  it('OBS-2: every filter narrows, and all given ones must hold', async () => {
    const [plain, other] = [
      usageEvent({ tags: [] }),
      usageEvent({
        provider: 'openai',
        model: 'gpt-5',
        modelRequested: 'smart',
        keyId: 'key_file_2',
        keyName: 'alice',
        team: null,
        status: 429,
        error: 'upstream_timeout',
        route: '/v1/responses',
      }),
    ];
    await writer.insert([plain, other]);
    const ids = async (query: Record<string, string>): Promise<string[]> =>
      (await ask(query)).body.items.map(({ id }) => id);
    expect(await ids({ model: 'gpt-5' })).toEqual([other.id]);
    expect(await ids({ model: 'smart' })).toEqual([other.id]);
    expect(await ids({ provider: 'demo' })).toEqual([plain.id]);
    expect(await ids({ key: 'alice' })).toEqual([other.id]);
    expect(await ids({ key: 'key_file_2' })).toEqual([other.id]);
    expect(await ids({ team: 'research' })).toEqual([plain.id]);
    expect(await ids({ status: '429' })).toEqual([other.id]);
    expect(await ids({ status: '4xx' })).toEqual([other.id]);
    expect(await ids({ status: '2xx' })).toEqual([plain.id]);
    expect(await ids({ route: '/v1/responses' })).toEqual([other.id]);
    expect(await ids({ error: 'upstream_timeout' })).toEqual([other.id]);
    expect(await ids({ error: 'upstream_timeout', provider: 'demo' })).toEqual([]);
    expect(await ids({ model: "x' OR '1'='1" })).toEqual([]);
  });

  it('OBS-2: a time span includes its start and not its end', async () => {
    const at = Date.parse('2026-11-01T12:00:00.000Z');
    const events = [at - 1, at, at + 1000].map((timeMs) => usageEvent({ id: `req_${uuidAt(timeMs)}` }));
    await writer.insert(events);
    const span = { from: '2026-11-01T12:00:00Z', to: '2026-11-01T13:00:01+01:00' };
    expect((await ask(span)).body.items.map(({ id }) => id)).toEqual([events[1]?.id]);
  });

  it('IAM-3: shows only the calls of the caller’s organisation', async () => {
    const mine = usageEvent();
    await writer.insert([mine, usageEvent({ orgId: 'org_other' })]);
    expect((await ask()).body.items.map(({ id }) => id)).toEqual([mine.id]);
    principal = { ...admin, orgId: 'org_other' };
    expect((await ask({}, `/api/logs/${mine.id}`)).status).toBe(404);
  });

  it.each([
    { limit: '0' },
    { limit: '201' },
    { limit: 'many' },
    { limit: '1.5' },
    { cursor: 'nonsense' },
    { cursor: '' },
    { cursor: 'A'.repeat(300) },
    { from: 'yesterday' },
    { to: '2026-13-01' },
    { to: '2026-W45-1' },
    { to: '2026-02-30' },
    { from: '2026-11-01T12:00:00' },
    { status: '42' },
    { status: '200; DROP TABLE usage_events' },
    { error: "x' --" },
    { model: 'a\0b' },
    { model: '' },
    { team: 'x'.repeat(300) },
    { unknown: '1' },
  ])('CFG-5: %j is refused with a problem that names the field', async (query) => {
    const { status, body } = await ask(query as never);
    expect(status).toBe(400);
    expect(JSON.stringify(body)).toContain(Object.keys(query)[0]);
    expect(body).toMatchObject({ status: 400, code: 'invalid_request' });
  });

  it('the API description names every filter and field', () => {
    const { paths, components } = SwaggerModule.createDocument(app, new DocumentBuilder().build());
    const parameters = (paths['/api/logs']?.get?.parameters ?? []).map((one) => ('name' in one ? one.name : ''));
    const filters = ['from', 'to', 'model', 'provider', 'key', 'team', 'user', 'app', 'status', 'route', 'error'];
    expect(parameters.sort()).toEqual(['limit', 'cursor', ...filters].sort());
    const detail = components?.schemas?.['LogDetailDto'] ?? {};
    expect('properties' in detail && Object.keys(detail.properties ?? {})).toEqual(
      expect.arrayContaining(['id', 'costUsd', 'traceId', 'usageRaw', 'bodies', 'bodiesReason']),
    );
  });

  it('refuses a filter given twice', async () => {
    expect((await app.inject({ url: '/api/logs?model=a&model=b' })).statusCode).toBe(400);
  });
});

describe('GET /api/logs/{id}', () => {
  const body = (bytes: Buffer, truncated = false): { gzip: Buffer; bytes: number; truncated: boolean } => ({
    gzip: gzipSync(bytes),
    bytes: bytes.length,
    truncated,
  });
  async function keep(
    event: UsageEvent,
    request: ReturnType<typeof body>,
    response: ReturnType<typeof body>,
  ): Promise<void> {
    await writer.insert([event]);
    await archive.append([
      {
        id: event.id,
        orgId: event.orgId,
        kind: 'llm',
        facets: { key: event.keyId, model: event.model },
        request,
        response,
      },
    ]);
  }

  it('OBS-1: shows the row, the usage as received, and both bodies', async () => {
    const event = usageEvent();
    const binary = randomBytes(100);
    await keep(event, body(Buffer.from('{"model":"fast","n":1.0}')), body(binary));
    const { status, body: shown } = await ask({}, `/api/logs/${event.id}`);
    expect(status).toBe(200);
    expect(shown).toMatchObject({
      id: event.id,
      costUsd: '0.00185',
      usageRaw: '{"prompt_tokens":12,  "odd":1.0}',
      bodies: {
        request: { text: '{"model":"fast","n":1.0}', bytes: 24, truncated: false },
        response: { base64: binary.toString('base64'), bytes: 100, truncated: false },
      },
      bodiesReason: null,
    });
  });

  it('OBS-1: a body cut inside a character is text all the same', async () => {
    const event = usageEvent();
    const cut = Buffer.from('größe €').subarray(0, -1);
    await keep(event, body(cut, true), body(Buffer.alloc(0)));
    const { body: shown } = await ask({}, `/api/logs/${event.id}`);
    expect(shown['bodies']).toEqual({
      request: { text: 'größe ', bytes: cut.length, truncated: true },
      response: { text: '', bytes: 0, truncated: false },
    });
  });

  it('OBS-1: a row is there before its bodies, and says why they are not', async () => {
    const [fresh, old, older] = [usageEvent(), daysAgo(1), daysAgo(31)];
    await writer.insert([fresh, old, older]);
    const reason = async (event: UsageEvent): Promise<unknown> => {
      const { body: shown } = await ask({}, `/api/logs/${event.id}`);
      expect(shown['bodies']).toBeNull();
      return shown['bodiesReason'];
    };
    expect(await reason(fresh)).toBe('pending');
    expect(await reason(old)).toBe('not_archived');
    expect(await reason(older)).toBe('expired');
    principal = { ...admin, role: 'proxy_admin_viewer' };
    expect(await reason(fresh)).toBe('not_allowed');
  });

  it('OBS-1: bodies that cannot be unpacked do not hide the row', async () => {
    const event = usageEvent();
    await keep(event, { gzip: Buffer.from('no gzip'), bytes: 7, truncated: false }, body(Buffer.from('x')));
    const { status, body: shown } = await ask({}, `/api/logs/${event.id}`);
    expect([status, shown['bodies'], shown['bodiesReason']]).toEqual([200, null, 'unavailable']);
  });

  it('CFG-5: an unknown id is 404, a malformed one 400', async () => {
    expect(await ask({}, `/api/logs/${usageEvent().id}`)).toMatchObject({ status: 404, body: { code: 'not_found' } });
    for (const id of ['x', 'req_1', `key_${usageEvent().id.slice(4)}`, '%00', "1'--", 'x'.repeat(90)]) {
      expect(await ask({}, `/api/logs/${id}`)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    }
  });
});

describe('the log while PostgreSQL is away', () => {
  it('OPS-3: answers store_unavailable and nothing of the store', async () => {
    const { PostgresUsageLog } = await import('#libs/ledger/index.js');
    const { connectPostgres } = await import('#libs/stores/index.js');
    const source = await connectPostgres(rig.urls.postgresOwner, { poolSize: 1, applicationName: 'contract' });
    rig.postgresGate.shut();
    const log = new PostgresUsageLog(source);
    await expect(log.page({ orgId: 'org_default', limit: 1 })).rejects.toMatchObject({
      code: 'store_unavailable',
      status: 503,
      message: 'The log cannot be read right now.',
    });
    rig.postgresGate.open();
    expect(await log.page({ orgId: 'org_default', limit: 1 })).toEqual({ rows: [], nextCursor: null });
    await source.destroy();
  });
});
