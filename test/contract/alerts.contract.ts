// Alerts on their way: told once however many workers notice them, delivered whoever dies, and nobody is held up by anybody else.
import { jest } from '@jest/globals';
import {
  deliverAlerts,
  PostgresAlertOutbox,
  SpendWatch,
  type Alert,
  type AlertDelivery,
  type WatchedBudget,
  type WebhookTarget,
} from '#libs/alerts/index.js';
import {
  openPartitions,
  PostgresRowWriter,
  PostgresSpendSums,
  ROLLUP_TABLE,
  USAGE_TABLE,
  type LedgerRow,
} from '#libs/ledger/index.js';
import { systemClock } from '#libs/platform/clock.js';
import { EgressClient, EgressPolicy } from '#libs/platform/egress.js';
import { uuidv7 } from '#libs/platform/ids.js';
import { Secret } from '#libs/platform/secret.js';
import { connectPostgres, timePartitions } from '#libs/stores/index.js';
import { startWebhookReceiver, type WebhookReceiver } from '#test/fakes/receiver/webhook-receiver.js';
import {
  eventually,
  listeningLogger,
  storesRig,
  usageEvent,
  uuidAt,
  type Source,
  type StoresRig,
} from './ledger-rig.js';
import { LedgerWriter } from './ledger-writer.js';

jest.setTimeout(60_000);

let rig: StoresRig;
let receiver: WebhookReceiver;
let outbox: PostgresAlertOutbox;
let targets: WebhookTarget[] = [];
const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  rig = await storesRig();
  receiver = await startWebhookReceiver();
  await openPartitions(rig.source, USAGE_TABLE);
  await openPartitions(rig.source, ROLLUP_TABLE);
  outbox = new PostgresAlertOutbox(rig.source);
});
afterAll(async () => {
  await receiver?.stop();
  await rig?.stop();
});
beforeEach(async () => {
  targets = [];
  await rig.source.query('TRUNCATE alert_events, alert_deliveries, budget_spend, budget_processes');
});
afterEach(async () => {
  rig.postgresGate.open();
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

const alert = (changes: Partial<Alert> = {}): Alert => ({
  orgId: 'o',
  kind: 'budget.threshold',
  atMs: Date.now(),
  dedupeKey: uuidv7(),
  subject: 's',
  text: 't',
  data: {},
  ...changes,
});

/** A webhook at a path of its own. */
function hook(path: string, changes: Partial<WebhookTarget> = {}): WebhookTarget {
  const target = {
    orgId: 'o',
    id: `hook_${path}`,
    events: [],
    url: `${receiver.url}/${path}`,
    secret: new Secret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'),
    ...changes,
  };
  targets.push(target);
  return target;
}

/** A worker that sends. `allow`: as `egress.allow`. */
function startSender(changes: Partial<AlertDelivery> = {}, allow: readonly string[] = ['127.0.0.0/8']): string[] {
  const policy = new EgressPolicy(allow);
  const client = new EgressClient({ purpose: 'webhooks', policy: () => policy });
  const { logger, lines } = listeningLogger();
  const end = new AbortController();
  const parts = { outbox, directory: { targets: async () => targets }, client, clock: systemClock, logger };
  const done = deliverAlerts({ ...parts, pollMs: 20, firstPauseMs: 20, ...changes }, end.signal);
  stops.push(async () => {
    end.abort();
    await client.close();
    await done;
  });
  return lines;
}

const at = (path: string) => receiver.messages.filter((message) => message.path === `/${path}`);
const deliveries = async (path: string) => (await outbox.deliveries('o', `hook_${path}`, { limit: 200 })).items;
const settled = (path: string, withinMs = 10_000) =>
  eventually(`${path} is over`, withinMs, async () => {
    const items = await deliveries(path);
    return items.length > 0 && items.every(({ state }) => state !== 'pending');
  });

describe('telling once', () => {
  it('KEY-7: what many processes notice at the same time is one alert and one message per webhook', async () => {
    hook('once-a');
    hook('once-b', { events: ['budget.threshold'] });
    hook('once-other-kind', { events: ['model.unpriced'] });
    hook('once-other-org', { orgId: 'p' });
    for (let i = 0; i < 3; i++) startSender();
    const names = Array.from({ length: 20 }, (_, n) => `same ${n}`);
    const added = await Promise.all(
      Array.from({ length: 8 }, () => outbox.add(names.map((dedupeKey) => alert({ dedupeKey })))),
    );
    expect(added.reduce((sum, n) => sum + n, 0)).toBe(20);
    await eventually('all are delivered', 15_000, () => at('once-a').length >= 20 && at('once-b').length >= 20);
    await settled('once-a');
    for (const path of ['once-a', 'once-b']) {
      expect(new Set(at(path).map(({ headers }) => headers['webhook-id'])).size).toBe(20);
      expect(at(path)).toHaveLength(20);
      expect(receiver.mostAtOnce(`/${path}`)).toBe(1);
    }
    expect([at('once-other-kind'), at('once-other-org')]).toEqual([[], []]);
  });

  it('KEY-7: thresholds that no single batch crosses are told, once, by whichever of three workers looks', async () => {
    hook('budget');
    startSender();
    const budget: WatchedBudget = {
      orgId: 'o',
      id: 'key:k:monthly',
      scope: 'key',
      ownerName: 'k',
      limitNanos: 100_000,
      period: 'monthly',
      isHard: true,
      warnAt: [0.5, 0.8],
    };
    const partitions = timePartitions(rig.source, USAGE_TABLE.name, USAGE_TABLE.period);
    const writer = new PostgresRowWriter({ source: rig.source, partitions });
    const watches = Array.from(
      { length: 3 },
      () =>
        new SpendWatch({
          spend: new PostgresSpendSums(rig.source),
          budgets: async () => ({ find: (orgId, id) => (orgId === 'o' && id === budget.id ? budget : null) }),
          outbox,
          clock: systemClock,
        }),
    );
    const row = (): LedgerRow => ({
      state: 'settled',
      processId: `inst_${Math.floor(Math.random() * 3)}`,
      boundNanos: 1000,
      budgets: ['key:k:monthly|m2026-11', 'unknown:budget|life'],
      event: usageEvent({ orgId: 'o', costNanos: 1000 }),
    });
    // 110 calls of 1 % each, every batch committed twice, by two writers at a time, three watches looking all the while
    const looks = setInterval(() => watches.forEach((watch) => void watch.look().catch(() => {})), 5);
    for (let i = 0; i < 11; i++) {
      const rows = Array.from({ length: 10 }, row);
      const batch = [{ processId: 'inst_1', from: i, to: i + 1, rows }];
      const commit = async (): Promise<void> => {
        for (;;) {
          try {
            return void (await writer.commit(batch));
          } catch (error) {
            if (!String(error).includes('deadlock')) throw error; // the drain tries again
          }
        }
      };
      await Promise.all([commit(), commit()]);
    }
    await eventually('all shares are told', 10_000, () => at('budget').length >= 3);
    clearInterval(looks);
    await settled('budget');
    const told = at('budget').map(({ body }) => JSON.parse(body) as { type: string; data: Record<string, unknown> });
    expect(told.map(({ type, data }) => [type, data['threshold'] ?? 1])).toEqual([
      ['budget.threshold', 0.5],
      ['budget.threshold', 0.8],
      ['budget.exhausted', 1],
    ]);
    expect(told.every(({ data }) => data['periodName'] === 'm2026-11' && data['limitUsd'] === '0.0001')).toBe(true);
  });

  it('KEY-5: calls without a price are told per model and day, from the roll-ups', async () => {
    await rig.source.query('TRUNCATE usage_events, usage_rollups, usage_dimensions, usage_dimension_tags');
    const writer = new LedgerWriter(rig.source, timePartitions(rig.source, USAGE_TABLE.name, USAGE_TABLE.period));
    const noon = Date.parse('2026-11-20T12:00:00Z');
    const call = (ms: number, changes = {}) => usageEvent({ id: `req_${uuidAt(ms)}`, orgId: 'o', ...changes });
    await writer.insert([
      call(noon, { model: 'm', priceVersion: null }),
      call(noon + 12 * 3_600_000, { model: 'm', priceVersion: null }),
      call(noon + 13 * 3_600_000, { model: 'm', priceVersion: null, orgId: 'p' }),
      call(noon, { model: 'priced' }),
      call(noon, { model: 'failed', priceVersion: null, usage: null }),
      call(noon - 3_600_000, { model: 'old', priceVersion: null }),
    ]);
    const sums = await new PostgresSpendSums(rig.source).unpricedSince(noon + 60_000);
    expect(sums).toEqual([
      { orgId: 'o', provider: 'demo', model: 'm', day: '2026-11-20', calls: 1 },
      { orgId: 'o', provider: 'demo', model: 'm', day: '2026-11-21', calls: 1 },
      { orgId: 'p', provider: 'demo', model: 'm', day: '2026-11-21', calls: 1 },
    ]);
  });
});

describe('delivering', () => {
  it('KEY-7: a receiver that fails gets the message again after growing pauses, under the same id, then no more', async () => {
    hook('flaky');
    receiver.answer('/flaky', 500, 'reset', { status: 302, headers: { location: `${receiver.url}/elsewhere` } }, 204);
    await outbox.add([alert()]);
    startSender();
    await settled('flaky');
    const tries = at('flaky');
    expect(tries.map(({ headers }) => headers['smartflow-attempt'])).toEqual(['1', '2', '3', '4']);
    expect(new Set(tries.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(at('elsewhere')).toEqual([]);
    const gaps = tries.slice(1).map(({ atMs }, i) => atMs - (tries[i]?.atMs ?? 0));
    expect(gaps[2]).toBeGreaterThan(100); // 20 ms, 60 ms, 180 ms, each give or take a fifth
    expect(await deliveries('flaky')).toMatchObject([
      { state: 'delivered', attempts: 4, lastStatus: 204, lastError: null },
    ]);
  });

  it('KEY-7: it gives up: at 410 at once, else after a bounded number of attempts, and both stay visible', async () => {
    hook('gone');
    hook('dead');
    receiver.answer('/gone', 410);
    receiver.answer('/dead', 503);
    await outbox.add([alert()]);
    const lines = startSender({ firstPauseMs: 0 });
    await settled('gone');
    await settled('dead', 30_000);
    expect(await deliveries('gone')).toMatchObject([{ state: 'failed', attempts: 1, lastStatus: 410 }]);
    expect(await deliveries('dead')).toMatchObject([
      { state: 'failed', attempts: 14, lastStatus: 503, lastError: 'the receiver answered 503', nextAtMs: null },
    ]);
    expect((await outbox.deliveries('o', 'hook_dead', { limit: 9, state: 'failed' })).items).toHaveLength(1);
    expect((await outbox.deliveries('o', 'hook_dead', { limit: 9, state: 'delivered' })).items).toEqual([]);
    expect(lines.filter((line) => line.includes('could not be delivered'))).toHaveLength(2);
  });

  it('KEY-7: Retry-After is respected', async () => {
    hook('later');
    receiver.answer('/later', { status: 429, headers: { 'retry-after': '2' } }, 204);
    await outbox.add([alert()]);
    startSender();
    await settled('later');
    const [first, second] = at('later');
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThan(1900);
  });

  it('KEY-7: one that hangs or refuses holds up neither another webhook nor its own other messages for long', async () => {
    hook('hang');
    hook('poison');
    hook('swift');
    receiver.answer('/hang', 'hang');
    receiver.answer('/poison', 400, 204);
    startSender();
    for (let i = 0; i < 30; i++) await outbox.add([alert({ subject: String(i) })]);
    await eventually('the others have everything', 8000, () => at('swift').length === 30 && at('poison').length === 31);
    expect(at('hang')).toHaveLength(1);
    expect(at('swift').map(({ body }) => (JSON.parse(body) as { subject: string }).subject)).toEqual(
      Array.from({ length: 30 }, (_, i) => String(i)),
    );
  });

  it('KEY-7: a worker that dies after its claim leaves it to the next one', async () => {
    hook('orphan');
    await outbox.add([alert()]);
    await outbox.fanOut(async () => targets);
    const [lost] = await outbox.claim(400, 10);
    expect(lost?.attempt).toBe(1);
    expect(await outbox.claim(400, 10)).toEqual([]);
    startSender();
    await settled('orphan');
    expect(at('orphan').map(({ headers }) => headers['smartflow-attempt'])).toEqual(['2']);
  });

  it('CFG-1: a private address is not connected to unless the operator lists it, and the delivery says so', async () => {
    hook('private');
    await outbox.add([alert()]);
    startSender({ firstPauseMs: 0 }, []);
    await settled('private', 30_000);
    expect(at('private')).toEqual([]);
    const [delivery] = await deliveries('private');
    expect([delivery?.state, delivery?.lastError]).toEqual(['failed', expect.stringContaining('egress.allow')]);
  });

  it('KEY-7: a deleted webhook gets nothing more, and what waits for one is bounded', async () => {
    const bounded = new PostgresAlertOutbox(rig.source, 5);
    hook('full');
    for (let i = 0; i < 8; i++) {
      await bounded.add([alert()]);
      await bounded.fanOut(async () => targets);
    }
    const states = (await deliveries('full')).map(({ state }) => state);
    expect(states).toEqual(['dropped', 'dropped', 'dropped', 'pending', 'pending', 'pending', 'pending', 'pending']);
    targets = [];
    startSender();
    await settled('full');
    expect((await deliveries('full')).every(({ state }) => state === 'dropped')).toBe(true);
    expect(at('full')).toEqual([]);
  });

  it('OPS-3: PostgreSQL away: it goes on by itself when it is back, and nothing is lost', async () => {
    hook('outage');
    const source: Source = await connectPostgres(rig.urls.postgresOwner, { poolSize: 2, applicationName: 'gated' });
    stops.push(() => source.destroy());
    await outbox.add([alert()]);
    rig.postgresGate.shut();
    const gated = new PostgresAlertOutbox(source);
    await expect(gated.add([alert()])).rejects.toMatchObject({ code: 'store_unavailable' });
    const lines = startSender({ outbox: gated });
    await eventually('it says so', 5000, () => lines.some((line) => line.includes('cannot be delivered')));
    rig.postgresGate.open();
    await settled('outage');
    expect(at('outage')).toHaveLength(1);
  });
});
