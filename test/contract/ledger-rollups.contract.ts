// Roll-ups against the rows they are made of: whatever is sent, resent, corrected or races, their sums equal the sums of rows.
import { jest } from '@jest/globals';
import { SPEND_DIMENSIONS, type LedgerRow, type SpendDimension, type UsageEvent } from '#libs/ledger/index.js';
import { usageEvent, uuidAt } from './ledger-rig.js';
import { ALL, madeUp, numbers, reported as reportedBy, SpendRig } from './spend-rig.js';

jest.setTimeout(120_000);

let rig: SpendRig;
beforeAll(async () => {
  rig = await SpendRig.start();
});
afterAll(() => rig?.stop());
beforeEach(() => rig.empty());

const reported = (
  groupBy: readonly SpendDimension[],
  range: { fromMs: number; toMs: number; timeZone: string },
): Promise<Map<string, string>> => reportedBy(rig.reports, groupBy, range);

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
function groupsOf(row: StoredRow, dimension: SpendDimension, dayOf: Intl.DateTimeFormat): string[] {
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
      return [dayOf.format(row.ts)];
    default:
      return [row[dimension]];
  }
}

const storedRows = async ({ fromMs, toMs }: { fromMs: number; toMs: number }): Promise<StoredRow[]> =>
  rig.source.query(
    `SELECT * FROM usage_events WHERE org_id = 'org_default' AND state <> 'slice' AND ts >= $1 AND ts < $2`,
    [new Date(fromMs), new Date(toMs)],
  );

/** group → [calls, cost, input tokens, unpriced, unknown], by brute force over the rows. */
function bruteForce(
  rows: readonly StoredRow[],
  groupBy: readonly SpendDimension[],
  timeZone: string,
): Map<string, string> {
  const dayOf = new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' });
  const sums = new Map<string, [number, bigint, bigint, number, number]>();
  for (const row of rows) {
    const [firsts, seconds] = [0, 1].map((at) => {
      const dimension = groupBy[at];
      return dimension === undefined ? [''] : groupsOf(row, dimension, dayOf);
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

const sorted = (map: Map<string, string>): [string, string][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

async function expectEqual(timeZones: readonly string[]): Promise<void> {
  const rows = await storedRows(ALL);
  for (const timeZone of timeZones) {
    const range = { ...ALL, timeZone };
    for (const first of SPEND_DIMENSIONS) {
      for (const second of [null, ...SPEND_DIMENSIONS]) {
        // the zone matters for days only
        if (second === first || (timeZone !== 'UTC' && first !== 'day')) continue;
        const groupBy = second === null ? [first] : [first, second];
        expect([groupBy, sorted(await reported(groupBy, range))]).toEqual([
          groupBy,
          sorted(bruteForce(rows, groupBy, timeZone)),
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
const batch = (rows: readonly LedgerRow[]) => [{ processId: 'inst_1', from: 0, to: 1, rows }];

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
        if (viaRows) await rig.rowWriter.commit(batch(unknown.map((event) => asRow(event, 'unknown'))));
        else await rig.writer.insert(unknown, 'unknown');
        if (random() < 0.2) return; // never settled
        if (viaRows) await rig.rowWriter.commit(batch(part.map((event) => asRow(event))));
        else await rig.writer.insert(part);
      });
      jobs.push(() => rig.writer.insert(part.slice(0, 10)));
      jobs.push(() => rig.rowWriter.commit(batch(part.slice(5, 15).map((event) => asRow(event)))));
    }
    while (jobs.length > 0) {
      const running = jobs.splice(0, 4).map((job) => job().catch((error: unknown) => String(error)));
      const faults = (await Promise.all(running)).filter((fault) => typeof fault === 'string');
      for (const fault of faults) expect(fault).toContain('deadlock'); // told to somebody who tries again
    }
    const [{ n }] = (await rig.source.query('SELECT count(*)::int AS n FROM usage_events')) as [{ n: number }];
    expect(n).toBeGreaterThan(350);
    await rig.source.query('ANALYZE'); // as the server does by itself after a while; without it reports take seconds
    await expectEqual(['UTC', 'Europe/Berlin', 'Asia/Kathmandu']);
  });

  it('KEY-7: a correction takes the call out of the groups it was booked in', async () => {
    const event = usageEvent({ id: `req_${uuidAt(Date.parse('2026-11-20T12:00:00Z'))}`, tags: ['t'] });
    await rig.writer.insert([{ ...event, provider: 'asked', usage: null, costNanos: 77 }], 'unknown');
    expect(await reported(['provider'], ALL)).toEqual(new Map([['["asked"]', '1 77 0 0 1']]));
    expect(await rig.writer.insert([{ ...event, provider: 'served', costNanos: 5 }])).toMatchObject({ replaced: 1 });
    const now = await reported(['provider'], ALL);
    expect([now.get('["served"]'), now.get('["asked"]')]).toEqual(['1 5 12 0 0', '0 0 0 0 0']);
    expect(await rig.writer.insert([{ ...event, costNanos: 999 }], 'unknown')).toMatchObject({
      inserted: 0,
      replaced: 0,
    });
    expect(await reported(['provider'], ALL)).toEqual(now);
  });

  it('KEY-6: a slice held back for a lost disk is nobody’s spending', async () => {
    await rig.writer.insert([usageEvent({ costNanos: 7 })], 'slice');
    expect(await reported(['team'], ALL)).toEqual(new Map());
  });

  it('KEY-7: absurd counts of a provider are summed, not refused', async () => {
    const most = Number.MAX_SAFE_INTEGER;
    const usage = { ...(usageEvent().usage as NonNullable<UsageEvent['usage']>), inputTokens: most, outputTokens: -5 };
    const events = Array.from({ length: 1500 }, () => usageEvent({ usage, costNanos: most }));
    expect(await rig.writer.insert(events)).toMatchObject({ inserted: 1500 });
    const page = await rig.reports.page({ ...ALL, orgId: 'org_default', groupBy: ['team'], sort: 'cost', limit: 1 });
    expect(page.totals.costNanos).toBe(1500n * BigInt(most));
    expect(page.totals.outputTokens).toBe(-7500);
  });

  it('KEY-7: rows that were there before the roll-ups are in them', async () => {
    const random = numbers(5);
    await rig.writer.insert(Array.from({ length: 200 }, () => madeUp(random, { user: null, app: null })));
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
    await rig.writer.insert(
      Array.from({ length: 200 }, () => madeUp(numbers(5), { user: null, app: null })).slice(0, 1),
    );
    expect(await rig.source.query('SELECT count(*)::int AS n FROM usage_dimensions')).toEqual([count]);
  });
});
