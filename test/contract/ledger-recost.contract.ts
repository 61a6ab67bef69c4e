// Pricing the ledger's rows again, on a real database: corrections stand beside what was booked.
import { jest } from '@jest/globals';
import {
  openPartitions,
  PostgresRecostStore,
  PostgresUsageLog,
  recost,
  USAGE_TABLE,
  type RecostReport,
  type UsageEvent,
} from '#libs/ledger/index.js';
import type { PriceOverride } from '#libs/platform/config.js';
import { bundledPriceTable } from '#libs/pricing/index.js';
import { timePartitions } from '#libs/stores/index.js';
import { repriceWith } from '../../apps/cli/src/recost-rows.js';
import { defaultConfig, storesRig, usageEvent, uuidAt, type StoresRig } from './ledger-rig.js';
import { LedgerWriter } from './ledger-writer.js';

jest.setTimeout(60_000);

const DAY_MS = 86_400_000;
const TODAY = Math.floor(Date.now() / DAY_MS) * DAY_MS;
const RANGE = { fromMs: TODAY - 10 * DAY_MS, toMs: TODAY, orgId: null };
const { providers } = defaultConfig().live;
let rig: StoresRig;
let writer: LedgerWriter;
let log: PostgresUsageLog;

beforeAll(async () => {
  rig = await storesRig();
  await openPartitions(rig.source, USAGE_TABLE);
  writer = new LedgerWriter(rig.source, timePartitions(rig.source, 'usage_events', 'day'));
  log = new PostgresUsageLog(rig.source);
});
afterAll(() => rig.stop());
beforeEach(() => rig.source.query('TRUNCATE usage_events, usage_rollups'));

/** demo/echo: 1 in, 0.10 cached, 2 out. 12 in of which 3 cached, 34 out: 9,000 + 300 + 68,000 nano-dollars. */
const RAW = '{"prompt_tokens":12,"completion_tokens":34,"prompt_tokens_details":{"cached_tokens":3}}';
const RIGHT = 77_300;

function booked(daysAgo: number, costNanos: number, changes: Partial<UsageEvent> = {}): UsageEvent {
  const plain = usageEvent();
  return {
    ...plain,
    id: `req_${uuidAt(TODAY - daysAgo * DAY_MS + 3_600_000)}`,
    usage: {
      inputTokens: 12,
      cachedInputTokens: 3,
      cacheWrite5mTokens: 0,
      cacheWrite1hTokens: 0,
      outputTokens: 34,
      reasoningTokens: 0,
      webSearchRequests: 0,
      details: null,
      raw: RAW,
    },
    costNanos,
    priceVersion: 'old',
    ...changes,
  };
}

function run(apply: boolean, overrides: readonly PriceOverride[] = []): Promise<RecostReport> {
  const reprice = repriceWith(bundledPriceTable(), providers, { of: () => overrides });
  return recost(new PostgresRecostStore(rig.source), reprice, RANGE, { apply, nowMs: Date.now() });
}

/** What reports add up, beside what the rows say. */
async function sums() {
  const [found] = (await rig.source.query(
    `SELECT (SELECT sum(coalesce(recost_nanos, cost_nanos))::text FROM usage_events) AS rows,
            (SELECT sum(cost_nanos)::text FROM usage_rollups) AS rollups,
            (SELECT sum(calls)::int FROM usage_rollups) AS calls,
            (SELECT sum(unpriced_calls)::int FROM usage_rollups) AS unpriced`,
  )) as { rows: string; rollups: string; calls: number; unpriced: number }[];
  return found;
}

const stored = async (event: UsageEvent) => {
  const row = await log.get('org_default', event.id);
  if (row === null) throw new Error('the row is gone');
  return row;
};

describe('recost', () => {
  it('KEY-5: a dry run says what would change and writes nothing', async () => {
    const [wrong, right] = [booked(2, 50_000), booked(3, RIGHT)];
    await writer.insert([wrong, right]);
    const report = await run(false);
    expect([report.rows, report.changed, report.skipped]).toEqual([2, 1, 0]);
    expect([...report.models]).toEqual([['demo/echo', { rows: 1, beforeNanos: 50_000n, afterNanos: BigInt(RIGHT) }]]);
    expect((await stored(wrong)).recost).toBeNull();
    expect((await sums())?.rollups).toBe(String(50_000 + RIGHT));
  });

  it('KEY-5: a corrected cost stands beside the booked one; sums stay explainable; once more changes nothing', async () => {
    const events = [booked(2, 50_000), booked(2, 99_000), booked(3, RIGHT)];
    await writer.insert(events);
    expect((await run(true)).changed).toBe(2);
    const [first] = events;
    const row = await stored(first as UsageEvent);
    expect([row.costNanos, row.priceVersion]).toEqual([50_000n, 'old']);
    expect(row.recost).toMatchObject({ costNanos: BigInt(RIGHT), priceVersion: bundledPriceTable().version });
    const [money] = (await rig.source.query(
      `SELECT sum(cost_nanos)::text AS booked, sum(coalesce(recost_nanos, cost_nanos))::text AS now,
              sum(recost_nanos - cost_nanos)::text AS corrections FROM usage_events`,
    )) as { booked: string; now: string; corrections: string }[];
    expect(money).toEqual({
      booked: String(50_000 + 99_000 + RIGHT),
      now: String(3 * RIGHT),
      corrections: String(2 * RIGHT - 149_000),
    });
    expect((await run(true)).changed).toBe(0);
  });

  it('KEY-7: reports follow the corrected cost, and a model that has a price now is unpriced no more', async () => {
    await writer.insert([booked(2, 0, { priceVersion: null }), booked(2, 99_000), booked(3, RIGHT)]);
    expect(await sums()).toMatchObject({ rollups: String(99_000 + RIGHT), calls: 3, unpriced: 1 });
    await Promise.all([run(true), run(true)]);
    const corrected = String(3 * RIGHT);
    expect(await sums()).toEqual({ rows: corrected, rollups: corrected, calls: 3, unpriced: 0 });
  });

  it('KEY-7: a model that turns out to be free is unpriced no more', async () => {
    await writer.insert([booked(2, 0, { priceVersion: null })]);
    const free = { provider: 'demo', model: 'echo', inputUsd: 0, outputUsd: 0, cachedInputUsd: 0, fromMs: 0 };
    const override = { ...free, cacheWrite5mUsd: null, cacheWrite1hUsd: null };
    expect((await run(true, [override])).changed).toBe(1);
    expect(await sums()).toEqual({ rows: '0', rollups: '0', calls: 1, unpriced: 0 });
    expect((await run(true, [override])).changed).toBe(0);
  });

  it('KEY-5: each row at the override of its own day; when it goes, what was booked is right again', async () => {
    const [before, after] = [booked(5, RIGHT), booked(2, RIGHT)];
    await writer.insert([before, after]);
    const override: PriceOverride = {
      provider: 'demo',
      model: 'echo',
      inputUsd: 10,
      outputUsd: 20,
      cachedInputUsd: 1,
      cacheWrite5mUsd: null,
      cacheWrite1hUsd: null,
      fromMs: TODAY - 3 * DAY_MS,
    };
    expect((await run(true, [override])).changed).toBe(1);
    expect((await stored(before)).recost).toBeNull();
    expect((await stored(after)).recost).toMatchObject({
      costNanos: BigInt(10 * RIGHT),
      priceVersion: expect.stringMatching(/^override:/),
    });
    expect((await run(true)).changed).toBe(1);
    expect((await stored(after)).recost).toBeNull();
    expect(await sums()).toMatchObject({ rows: String(2 * RIGHT), rollups: String(2 * RIGHT) });
  });

  it('KEY-5: the usage is read again from what the provider sent, with what stood beside it', async () => {
    // The columns say nothing was cached and no tier; the raw text and the details know better.
    const event = booked(2, 1, {
      dialect: 'openai',
      usage: {
        ...(booked(2, 1).usage as NonNullable<UsageEvent['usage']>),
        cachedInputTokens: 0,
        details: { serviceTier: 'priority' },
      },
    });
    await writer.insert([event]);
    await run(true);
    expect((await stored(event)).recost?.costNanos).toBe(BigInt(2 * RIGHT));
  });

  it('KEY-5: rows that cannot be priced stay as they are: no usage, no provider, no price, counts that are none', async () => {
    const usage = booked(2, 1).usage as NonNullable<UsageEvent['usage']>;
    await writer.insert([
      booked(2, 5, { usage: null, usageSource: 'none' }),
      booked(2, 5, { provider: 'gone' }),
      booked(2, 5, { usage: { ...usage, inputTokens: -1, raw: '[]' } }),
      booked(20, 5),
      booked(-1, 5),
    ]);
    const report = await run(true);
    expect([report.rows, report.changed, report.skipped]).toEqual([2, 0, 2]);
  });

  it('KEY-5: rows that are not settled stay at what is set aside: the usage seen of a cut answer is not all of it', async () => {
    const cut = booked(2, 900_000, { usageSource: 'partial', error: 'upstream_cut' });
    await writer.insert([cut], 'unknown');
    await writer.insert([booked(2, 50_000)]);
    // settled by hand from the provider's own report: its usage is still only a part
    await writer.insert([booked(3, 800_000, { usageSource: 'partial' })]);
    const report = await run(true);
    expect([report.rows, report.changed]).toEqual([1, 1]);
    expect((await stored(cut)).recost).toBeNull();
    expect(await sums()).toMatchObject({ rows: String(1_700_000 + RIGHT), rollups: String(1_700_000 + RIGHT) });
  });

  it('KEY-6: the true end of a call takes a correction of its row away, and the roll-ups still say what the rows say', async () => {
    const cut = booked(2, 900_000, { usageSource: 'partial', error: 'upstream_cut' });
    await writer.insert([cut], 'unknown');
    // as an earlier version left such rows behind
    const id = cut.id.slice(4);
    await rig.source.query(
      `UPDATE usage_events SET recost_nanos = 5, recost_version = 'x', recost_at = now() WHERE id = $1`,
      [id],
    );
    await rig.source.query(`UPDATE usage_rollups SET cost_nanos = cost_nanos - 899995`);
    const truth = { ...cut, costNanos: 60_000, usageSource: 'measured' as const, error: null };
    expect(await writer.insert([truth])).toEqual({ inserted: 0, replaced: 1 });
    expect(await stored(cut)).toMatchObject({ state: 'settled', costNanos: 60_000n, recost: null });
    expect(await sums()).toMatchObject({ rows: '60000', rollups: '60000' });
  });

  it('KEY-5: thousands of rows go in batches; a batch is corrected with its roll-ups or not at all', async () => {
    const events = Array.from({ length: 2300 }, (_, i) => booked(1 + (i % 9), 1));
    await writer.insert(events);
    await rig.source.query('ALTER TABLE usage_rollups ADD CONSTRAINT away CHECK (cost_nanos < 1000000)');
    await expect(run(true)).rejects.toThrow('away');
    const [untouched] = (await rig.source.query(`SELECT count(recost_nanos)::int AS n FROM usage_events`)) as {
      n: number;
    }[];
    expect([untouched?.n, (await sums())?.rollups]).toEqual([0, '2300']);
    await rig.source.query('ALTER TABLE usage_rollups DROP CONSTRAINT away');
    expect((await run(true)).changed).toBe(2300);
    expect((await sums())?.rollups).toBe(String(2300 * RIGHT));
  });
});
