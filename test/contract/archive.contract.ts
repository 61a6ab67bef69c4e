// One suite for every archive: what it promises holds on PostgreSQL and on MongoDB.
import { randomBytes } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { jest } from '@jest/globals';
import {
  MAX_RECORD_BYTES,
  MongoArchive,
  PostgresArchive,
  type ArchivePort,
  type ArchiveQuery,
  type ArchiveRecord,
} from '#libs/ledger/index.js';
import { uuidv7 } from '#libs/platform/ids.js';
import { Secret } from '#libs/platform/secret.js';
import { connectMongo, connectPostgres, migrate, timePartitions } from '#libs/stores/index.js';
import { startTestPostgres } from '#libs/stores/testing.js';
import { startMongoPeer } from '#test/fakes/ferretdb/start.js';
import { TcpGate } from './tcp-gate.js';

// Long enough for a busy machine; nothing here measures speed.
jest.setTimeout(60_000);

/** An archive on an empty store, behind a gate. */
interface Rig {
  readonly archive: ArchivePort;
  readonly gate: TcpGate;
  /** Text by which an append is recognised on the wire. */
  readonly insertMark: string;
  close(): Promise<void>;
}

const FACETS = ['model', 'tags', 'attempts', 'cached'];
const ORG = 'org_default';

async function postgresRig(): Promise<Rig> {
  const server = await startTestPostgres();
  await migrate(server.ownerUrl);
  const { gate, url } = await TcpGate.before(server.ownerUrl.reveal());
  const source = await connectPostgres(new Secret(url), { poolSize: 4, applicationName: 'archive-contract' });
  return {
    archive: new PostgresArchive(source, FACETS, timePartitions(source, 'archive_records', 'month')),
    gate,
    insertMark: 'INSERT INTO archive_records',
    close: async () => {
      await source.destroy();
      await gate.close();
      await server.stop();
    },
  };
}

const peer = await startMongoPeer();

async function mongoRig(): Promise<Rig> {
  if (peer.url === null) throw new Error(peer.reason);
  const parsed = new URL(peer.url);
  parsed.pathname = `/sf_test_${randomBytes(6).toString('hex')}`;
  const { gate, url } = await TcpGate.before(parsed.href);
  const direct = new URL(url);
  direct.searchParams.set('directConnection', 'true');
  const connection = await connectMongo(new Secret(direct.href));
  return {
    archive: new MongoArchive(connection, FACETS),
    gate,
    insertMark: 'insert\0',
    close: async () => {
      await connection.dropDatabase();
      await connection.close();
      await gate.close();
      await peer.stop();
    },
  };
}

/** The moment `rest` (such as `01T12:00:00Z`) in the month `months` from this one. */
function moment(months: number, rest: string): number {
  const now = new Date();
  return Date.parse(
    new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + months)).toISOString().slice(0, 8) + rest,
  );
}

const at = (months: number, rest: string): string => `req_${idAt(moment(months, rest))}`;

/** A UUIDv7 of a given moment, whatever was made before. */
function idAt(timeMs: number): string {
  return (
    timeMs
      .toString(16)
      .padStart(12, '0')
      .replace(/^(.{8})/, '$1-') + uuidv7().slice(13)
  );
}

function record(changes: Partial<ArchiveRecord> = {}): ArchiveRecord {
  const request = Buffer.from('{"model":"echo","n":1.0,"b":1,"a":2}');
  const response = Buffer.from('data: {"x":"ü"}\n\n');
  return {
    id: `req_${uuidv7()}`,
    orgId: ORG,
    kind: 'llm',
    facets: { model: 'echo' },
    request: { gzip: gzipSync(request), bytes: request.length, truncated: false },
    response: { gzip: gzipSync(response), bytes: response.length, truncated: true },
    ...changes,
  };
}

const body = (bytes: Buffer): ArchiveRecord['request'] => ({ gzip: bytes, bytes: bytes.length, truncated: false });

async function collect(archive: ArchivePort, query: Omit<ArchiveQuery, 'cursor'>): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await archive.page({ ...query, ...(cursor === null ? {} : { cursor }) });
    expect(page.items.length).toBeLessThanOrEqual(query.limit);
    ids.push(...page.items.map(({ id }) => id));
    cursor = page.nextCursor;
  } while (cursor !== null);
  return ids;
}

if (peer.url === null) {
  console.warn(`SKIPPED: the archive is not proven on MongoDB here: ${peer.reason}`);
  // oxlint-disable-next-line jest/no-disabled-tests -- the peer is absent here, and the results say so
  it.skip(`OBS-1: the archive on MongoDB: SKIPPED, ${peer.reason}`, () => {});
}
const rigs: [string, () => Promise<Rig>][] = [['PostgreSQL', postgresRig]];
if (peer.url !== null) rigs.push([peer.name, mongoRig]);

describe.each(rigs)('OBS-1: the archive on %s', (_, makeRig) => {
  let rig: Rig;
  let archive: ArchivePort;
  beforeAll(async () => {
    rig = await makeRig();
    archive = rig.archive;
  }, 60_000);
  afterAll(() => rig.close());

  it('gives bodies back byte for byte, whatever they are', async () => {
    const bytes = randomBytes(5000);
    const kept = record({
      request: body(gzipSync(bytes)),
      facets: { model: 'echo', tags: ['a', 'b'], attempts: 2, cached: false },
    });
    expect(await archive.append([kept])).toEqual({ stored: 1, tooLarge: [] });
    const read = await archive.get(ORG, kept.id);
    expect(read).toEqual(kept);
    expect(gunzipSync(read?.request.gzip as Buffer).equals(bytes)).toBe(true);
    expect(gunzipSync(read?.response.gzip as Buffer).toString()).toBe('data: {"x":"ü"}\n\n');
  });

  it('keeps a record once, however often it is sent', async () => {
    const [first, second] = [record(), record()];
    expect(await archive.append([first, first])).toEqual({ stored: 1, tooLarge: [] });
    expect(await archive.append([first, second, second])).toEqual({ stored: 1, tooLarge: [] });
    expect(await archive.append([])).toEqual({ stored: 0, tooLarge: [] });
    expect(await archive.get(ORG, second.id)).toEqual(second);
  });

  it('shows nobody what belongs to another organisation', async () => {
    const foreign = record({ orgId: 'org_other', kind: 'foreign' });
    await archive.append([foreign]);
    expect(await archive.get(ORG, foreign.id)).toBeNull();
    expect(await collect(archive, { orgId: ORG, kind: 'foreign', limit: 10 })).toEqual([]);
    expect(await collect(archive, { orgId: 'org_other', kind: 'foreign', limit: 10 })).toEqual([foreign.id]);
  });

  it('takes what a store may choke on: NUL, lone surrogates, dollar signs and dots in values', async () => {
    const odd = record({ facets: { model: 'a\0b\ud800', tags: ['$gt', 'a.b', '\0'] } });
    await archive.append([odd]);
    expect((await archive.get(ORG, odd.id))?.facets).toEqual({ model: 'ab\ufffd', tags: ['$gt', 'a.b', ''] });
  });

  it('pages newest first across months without a gap or a copy, also between rows of one millisecond', async () => {
    const kind = 'paging';
    const lastMs = moment(-2, '01T00:00:00Z') - 1; // of the month before
    const ids = [
      ...[1, 2, 3, 4, 5].map(() => `req_${idAt(lastMs)}`),
      ...[1, 2, 3].map((n) => at(-4, `0${n}T00:00:00Z`)),
      ...[1, 2, 3].map((n) => at(-2, `0${n}T00:00:00Z`)),
    ];
    await archive.append(ids.map((id) => record({ id, kind })));
    const newestFirst = [...ids].sort().reverse();
    for (const limit of [1, 2, 3, 7, 11, 200]) {
      expect(await collect(archive, { orgId: ORG, kind, limit })).toEqual(newestFirst);
    }
    const page = await archive.page({ orgId: ORG, kind, limit: 1 });
    expect(page.items).toEqual([
      { id: newestFirst[0], orgId: ORG, kind, facets: { model: 'echo' }, timeMs: moment(-2, '03T00:00:00Z') },
    ]);
  });

  it('pages within a time span, its start included and its end not', async () => {
    const kind = 'span';
    const [first, second, third] = ['01', '02', '03'].map((day) => at(-5, `${day}T00:00:00Z`));
    await archive.append([first, second, third].map((id) => record({ id: id as string, kind })));
    const between = { fromMs: moment(-5, '01T00:00:00Z'), toMs: moment(-5, '03T00:00:00Z') };
    expect(await collect(archive, { orgId: ORG, kind, limit: 1, ...between })).toEqual([second, first]);
  });

  it('finds by declared facets, in values and in lists, all of them together', async () => {
    const kind = 'facets';
    const plain = record({ kind, facets: { model: 'echo', tags: ['red', 'blue'], attempts: 1, cached: true } });
    const other = record({ kind, facets: { model: 'story', tags: ['red'], attempts: 2, cached: false } });
    await archive.append([plain, other, record({ kind, facets: {} })]);
    const find = (facets: ArchiveQuery['facets']): Promise<string[]> =>
      collect(archive, { orgId: ORG, kind, limit: 10, ...(facets === undefined ? {} : { facets }) });
    expect(await find({ model: 'echo' })).toEqual([plain.id]);
    expect(await find({ tags: 'red' })).toEqual([other.id, plain.id]);
    expect(await find({ tags: 'red', attempts: 2, cached: false })).toEqual([other.id]);
    expect(await find({ tags: 'blue', model: 'story' })).toEqual([]);
    expect(await find({ model: 'red' })).toEqual([]);
  });

  it.each([
    ['an undeclared facet', { facets: { colour: 'red' } }],
    ['an operator in place of a value', { facets: { model: { $ne: 'x' } } }],
    ['a name with a dollar sign', { facets: { $where: 'sleep(1)' } }],
    ['a cursor that is none', { cursor: 'nonsense' }],
  ])('refuses %s as invalid_request', async (__, changes) => {
    const query = { orgId: ORG, kind: 'llm', limit: 10, ...changes } as unknown as ArchiveQuery;
    await expect(archive.page(query)).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('refuses malformed ids, nested and undeclared facets before anything is written', async () => {
    const bad = [
      { id: 'req_1' },
      { facets: { colour: 'red' } },
      { facets: { model: { deep: 1 } } },
      { facets: { attempts: NaN } },
    ];
    for (const changes of bad) {
      const good = record({ kind: 'unwritten' });
      await expect(archive.append([good, record(changes as never)])).rejects.toMatchObject({ code: 'invalid_request' });
    }
    expect(await collect(archive, { orgId: ORG, kind: 'unwritten', limit: 10 })).toEqual([]);
    await expect(archive.get(ORG, 'req_1')).rejects.toMatchObject({ code: 'invalid_request' });
    expect(await archive.get(ORG, `req_${uuidv7()}`)).toBeNull();
  });

  it('keeps records up to 15 MiB and names those above, without losing their neighbours', async () => {
    const kind = 'large';
    const large = record({ kind, response: body(randomBytes(MAX_RECORD_BYTES - 4096)) });
    const tooLarge = record({ kind, response: body(Buffer.alloc(MAX_RECORD_BYTES)) });
    const small = record({ kind });
    expect(await archive.append([tooLarge, large, small])).toEqual({ stored: 2, tooLarge: [tooLarge.id] });
    expect((await archive.get(ORG, large.id))?.response.gzip.equals(large.response.gzip)).toBe(true);
    expect(await collect(archive, { orgId: ORG, kind, limit: 10 })).toEqual([small.id, large.id]);
  });

  it('exports a time span oldest first, bodies included', async () => {
    const kind = 'export';
    const ids = Array.from({ length: 7 }, (__, n) => at(n < 4 ? -7 : -6, `0${n + 1}T12:00:00Z`));
    await archive.append([...ids].reverse().map((id) => record({ id, kind })));
    const exported: ArchiveRecord[] = [];
    for await (const one of archive.export({ orgId: ORG, kind, fromMs: moment(-7, '02T00:00:00Z') }))
      exported.push(one);
    expect(exported.map(({ id }) => id)).toEqual(ids.slice(1));
    expect(exported[0]).toEqual(record({ id: ids[1] as string, kind }));
  });

  it('an append whose answer is lost leaves each record once, when it is sent again', async () => {
    const kind = 'lost-answer';
    const records = [record({ kind }), record({ kind })];
    const lost = rig.gate.trap(rig.insertMark, 'lose the answer');
    await archive.append(records).catch(() => archive.append(records)); // by the adapter itself or by its caller
    await lost;
    expect((await collect(archive, { orgId: ORG, kind, limit: 10 })).sort()).toEqual(
      records.map(({ id }) => id).sort(),
    );
  });

  it('rejects while the store is away, and goes on by itself when it is back', async () => {
    const kind = 'outage';
    const one = record({ kind });
    rig.gate.shut();
    await expect(archive.append([one])).rejects.toThrow();
    await expect(archive.get(ORG, one.id)).rejects.toThrow();
    rig.gate.open();
    for (let attempt = 0; attempt < 20; attempt++) {
      const done = await archive.append([one]).then(
        () => true,
        () => new Promise<false>((resolve) => setTimeout(() => resolve(false), 100)),
      );
      if (done) break;
    }
    expect(await archive.get(ORG, one.id)).toEqual(one);
  });

  it('purges whole months that are over, and nothing younger', async () => {
    const kind = 'purge';
    const months = [-22, -21, -20].map((month) => at(month, '15T00:00:00Z'));
    await archive.append(months.map((id) => record({ id, kind })));
    expect(await archive.purgeBefore(moment(-19, '01T00:00:00Z') - 1)).toBe(2);
    expect(await collect(archive, { orgId: ORG, kind, limit: 10 })).toEqual([months[2]]);
    expect(await archive.get(ORG, months[0] as string)).toBeNull();
    expect(await archive.purgeBefore(moment(-19, '02T00:00:00Z'))).toBe(1);
    expect(await archive.purgeBefore(moment(-19, '02T00:00:00Z'))).toBe(0);
    // a month that was purged can be written again
    expect(await archive.append([record({ id: months[0] as string, kind })])).toEqual({ stored: 1, tooLarge: [] });
  });
});
