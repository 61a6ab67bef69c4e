// Two instances of the built product on the same stores, with a worker each, and a receiver of webhooks on this machine.
import path from 'node:path';
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { PostgresRowWriter, USAGE_TABLE, type LedgerRow } from '#libs/ledger/index.js';
import { uuidv7 } from '#libs/platform/ids.js';
import { connectPostgres, timePartitions } from '#libs/stores/index.js';
import { startTestPostgres, startTestRedis, type TestPostgres, type TestRedis } from '#libs/stores/testing.js';
import {
  startWebhookReceiver,
  type ReceivedMessage,
  type WebhookReceiver,
} from '#test/fakes/receiver/webhook-receiver.js';
import { answerWithRecording } from '#test/fakes/upstream/recordings.js';
import { startFakeUpstream, type FakeUpstream } from '#test/fakes/upstream/fake-upstream.js';
import { eventually, recordedChildren, startProduct, temporaryDataDir, type Product } from '../harness.js';

interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly secret: string;
  readonly version: number;
}
interface Told {
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly text: string;
  readonly data: Record<string, unknown>;
}

describe('webhooks', () => {
  let postgres: TestPostgres;
  let redis: TestRedis | null;
  let folder: string;
  let receiver: WebhookReceiver;
  let upstream: FakeUpstream;
  let a: Product;
  let b: Product;

  beforeAll(async () => {
    redis = await startTestRedis();
    [postgres, folder, receiver, upstream] = await Promise.all([
      startTestPostgres(),
      temporaryDataDir(),
      startWebhookReceiver(),
      startFakeUpstream({ fallback: answerWithRecording }),
    ]);
    const env = { DATABASE_URL: postgres.ownerUrl.reveal(), REDIS_URL: redis.url.reveal() };
    const config = {
      egress: { allow: ['127.0.0.0/8'] },
      providers: { local: { type: 'openai-compatible', base_url: `${upstream.url}/v1`, api_key: 'sk-x' } },
    };
    [a, b] = (await Promise.all(
      ['a', 'b'].map((name) => startProduct({ env, config, dataDir: path.join(folder, name) })),
    )) as [Product, Product];
  }, 120_000);
  afterAll(async () => {
    await Promise.all([a?.stop(), b?.stop()]);
    await Promise.all([postgres?.stop(), redis?.stop(), receiver?.stop(), upstream?.stop()]);
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  async function ask(method: string, target: string, body?: unknown, headers: Record<string, string> = {}) {
    const answer = await fetch(`${a.url}${target}`, {
      method,
      headers: { authorization: `Bearer ${a.adminToken}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, json: text === '' ? null : JSON.parse(text) };
  }
  const make = async (name: string, more: object = {}): Promise<Webhook> => {
    const made = await ask('POST', '/api/webhooks?wait=applied', { name, url: `${receiver.url}/${name}`, ...more });
    expect([made.status, made.json]).toEqual([201, expect.objectContaining({ name })]);
    return made.json as Webhook;
  };
  const at = (name: string): ReceivedMessage[] => receiver.messages.filter((message) => message.path === `/${name}`);
  const toldAt = (name: string): Told[] => at(name).map(({ body }) => JSON.parse(body) as Told);
  const deliveriesOf = async ({ id }: Webhook, query = '') =>
    (await ask('GET', `/api/webhooks/${id}/deliveries${query}`)).json.items as Record<string, unknown>[];
  /** Rows as a gateway ships them, into the ledger as the worker writes them: what was charged to a budget of today. */
  async function charge(budget: string, nanos: number, calls = 1): Promise<void> {
    const source = await connectPostgres(postgres.ownerUrl, { poolSize: 2, applicationName: 'e2e' });
    try {
      const partitions = timePartitions(source, USAGE_TABLE.name, USAGE_TABLE.period);
      const rows = Array.from({ length: calls }, () => rowOf(`${budget}|d${today()}`, nanos));
      await new PostgresRowWriter({ source, partitions }).commit([{ processId: 'inst_e2e', from: 0, to: 1, rows }]);
    } finally {
      await source.destroy();
    }
  }
  const keyWithBudget = async (name: string, more: object = {}): Promise<string> => {
    const budgets = [{ limit_usd: 10, period: 'daily', time_zone: 'UTC', warn_at: [0.5, 0.8], ...more }];
    const made = await ask('POST', '/api/keys', { name, budgets });
    expect(made.status).toBe(201);
    return made.json.id as string;
  };

  it('KEY-7: the secret of a webhook is in the answer to its making and nowhere else', async () => {
    const { id, secret } = await make('once', { events: ['model.unpriced'] });
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const shown = [
      await ask('GET', `/api/webhooks/${id}`),
      await ask('GET', '/api/webhooks'),
      await ask('GET', '/api/audit'),
    ];
    for (const { status, json } of shown) {
      expect(status).toBe(200);
      expect(JSON.stringify(json)).not.toContain(secret.slice(6, 40));
      expect(JSON.stringify(json)).not.toContain('salt');
    }
    expect(shown[0]?.json).toMatchObject({ name: 'once', events: ['model.unpriced'], enabled: true });
    expect(JSON.stringify(shown[2]?.json)).toContain('webhook.create');
    for (const product of [a, b]) expect(product.logs()).not.toContain(secret.slice(6, 40));
  });

  it('KEY-7: a webhook is changed under its version and deleted; a viewer does not see the path of its address', async () => {
    const { id, version } = await make('changing');
    const tag = { 'if-match': `"${version}"` };
    const changed = await ask('PATCH', `/api/webhooks/${id}`, { enabled: false, events: ['store.down'] }, tag);
    expect([changed.status, changed.json]).toEqual([
      200,
      expect.objectContaining({ enabled: false, events: ['store.down'] }),
    ]);
    expect((await ask('PATCH', `/api/webhooks/${id}`, { enabled: true }, tag)).status).toBe(409);
    expect((await ask('POST', `/api/webhooks/${id}/test`)).status).toBe(409);
    const viewer = (await ask('POST', '/api/tokens', { name: 'eyes', role: 'proxy_admin_viewer' })).json
      .token as string;
    const seen = await ask('GET', `/api/webhooks/${id}`, undefined, { authorization: `Bearer ${viewer}` });
    expect([seen.status, seen.json.url]).toEqual([200, `${receiver.url}/…`]);
    expect((await ask('DELETE', `/api/webhooks/${id}`)).status).toBe(204);
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      expect((await ask(method, `/api/webhooks/${id}`, method === 'PATCH' ? {} : undefined)).status).toBe(404);
    }
    expect((await ask('POST', `/api/webhooks/${id}/test`)).status).toBe(404);
  });

  it.each([
    [{ url: 'https://x.example' }, 'name'],
    [{ name: '', url: 'https://x.example' }, 'name'],
    [{ name: 'a\nb', url: 'https://x.example' }, 'name'],
    [{ name: 'a' }, 'url'],
    [{ name: 'a', url: 'x.example' }, 'url'],
    [{ name: 'a', url: 'ftp://x.example' }, 'url'],
    [{ name: 'a', url: 'https://10.0.0.1/x' }, 'url'],
    [{ name: 'a', url: 'http://8.8.8.8/x' }, 'url'],
    [{ name: 'a', url: 'https://u:p@x.example' }, 'url'],
    [{ name: 'a', url: 'https://x.example', events: ['webhook.test'] }, 'events'],
    [{ name: 'a', url: 'https://x.example', events: 'budget.threshold' }, 'events'],
    [{ name: 'a', url: 'https://x.example', events: ['store.down', 'store.down'] }, 'events'],
    [{ name: 'a', url: 'https://x.example', enabled: 'yes' }, 'enabled'],
    [{ name: 'a', url: 'https://x.example', secret: 'mine' }, 'secret'],
  ])('KEY-7: %j is refused with the field named', async (body, field) => {
    const { status, json } = await ask('POST', '/api/webhooks', body);
    expect([status, json.code]).toEqual([400, 'invalid_request']);
    expect(JSON.stringify(json.errors)).toContain(field);
  });

  it('KEY-7: a test message comes signed so that the official SDK accepts it, and neither changed nor under another secret', async () => {
    const hook = await make('signed', { events: ['store.down'] });
    const other = await make('other');
    expect((await ask('POST', `/api/webhooks/${hook.id}/test`)).status).toBe(202);
    const message = await eventually('the message', 10_000, () => at('signed')[0]);
    expect(at('other')).toEqual([]);
    const sdk = new OpenAI({ apiKey: 'x', baseURL: a.url });
    const headers = new Headers(message.headers as Record<string, string>);
    await sdk.webhooks.verifySignature(message.body, headers, hook.secret);
    await expect(sdk.webhooks.verifySignature(`${message.body} `, headers, hook.secret)).rejects.toThrow();
    await expect(sdk.webhooks.verifySignature(message.body, headers, other.secret)).rejects.toThrow();
    const told = JSON.parse(message.body) as Told;
    expect(told).toMatchObject({ type: 'webhook.test', id: message.headers['webhook-id'], data: { webhook: hook.id } });
    await eventually('the delivery is booked', 5000, async () => {
      const [delivery] = await deliveriesOf(hook);
      return delivery?.['state'] === 'delivered' ? delivery : null;
    });
    expect(await deliveriesOf(hook)).toMatchObject([
      { id: told.id, event: 'webhook.test', attempts: 1, status: 204, error: null, next_at: null },
    ]);
  });

  it('KEY-7: two workers tell each threshold of a budget once, in order, and all of it as exhausted', async () => {
    await make('budgets', { events: ['budget.threshold', 'budget.exhausted'] });
    const id = await keyWithBudget('team\u00a0key');
    await charge(`key:${id}:daily`, 1_000_000_000, 4);
    await charge(`key:${id}:daily`, 1_000_000_000, 5);
    await eventually('80 % is told', 15_000, () => (toldAt('budgets').length >= 2 ? true : null));
    await charge(`key:${id}:daily`, 1_000_000_001);
    await eventually('the end is told', 15_000, () => (toldAt('budgets').length >= 3 ? true : null));
    const told = toldAt('budgets').filter(({ data }) => data['budget'] === `key:${id}:daily`);
    expect(told.map(({ type, data }) => [type, data['threshold'] ?? null, data['limitUsd'], data['scope']])).toEqual([
      ['budget.threshold', 0.5, '10', 'key'],
      ['budget.threshold', 0.8, '10', 'key'],
      ['budget.exhausted', null, '10', 'key'],
    ]);
    expect(told[2]?.data['spentUsd']).toBe('10.000000001');
    expect(told.every(({ data }) => data['periodName'] === `d${today()}`)).toBe(true);
    const alerts = (await ask('GET', '/api/alerts')).json.items as { event: string; subject: string }[];
    expect(alerts.filter(({ subject }) => subject === told[2]?.subject)).toHaveLength(1);
  });

  it('KEY-7: rows that were booked while both workers were killed are told by whichever comes back', async () => {
    await make('killed', { events: ['budget.exhausted'] });
    const id = await keyWithBudget('killed');
    const workers = await Promise.all([a, b].map(async ({ dataDir }) => (await recordedChildren(dataDir)).worker));
    for (const pid of workers) process.kill(pid, 'SIGKILL');
    await charge(`key:${id}:daily`, 11_000_000_000);
    await eventually('it is told', 30_000, () => at('killed')[0] ?? null);
    await new Promise((resolve) => setTimeout(resolve, 2500)); // long enough for the other worker to look and send
    expect(new Set(at('killed').map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(toldAt('killed')[0]).toMatchObject({ type: 'budget.exhausted', data: { budget: `key:${id}:daily` } });
  }, 60_000);

  it('KEY-5: a call of a model without a price is told, from the caller’s request to the receiver', async () => {
    await make('unpriced', { events: ['model.unpriced'] });
    const answer = await fetch(`${a.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${a.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'local/homemade-1', messages: [{ role: 'user', content: 'hi' }] }),
    });
    expect(answer.status).toBe(200);
    await answer.text();
    await eventually('it is told', 30_000, () => at('unpriced')[0] ?? null);
    expect(toldAt('unpriced')[0]).toMatchObject({
      subject: 'local/homemade-1 has no price',
      data: { provider: 'local', model: 'homemade-1' },
    });
  }, 60_000);

  it('KEY-7: what a receiver does not take stays visible as failed, and a failing one is told when it works again', async () => {
    const gone = await make('gone');
    const flaky = await make('flaky');
    receiver.answer('/gone', 410);
    receiver.answer('/flaky', 500, 204);
    for (const { id } of [gone, flaky]) expect((await ask('POST', `/api/webhooks/${id}/test`)).status).toBe(202);
    const failed = await eventually(
      'it is given up',
      10_000,
      async () => (await deliveriesOf(gone, '?state=failed'))[0],
    );
    expect(failed).toMatchObject({ state: 'failed', status: 410, error: 'the receiver answered 410', attempts: 1 });
    const waiting = await eventually(
      'it is waiting',
      10_000,
      async () => (await deliveriesOf(flaky, '?state=pending'))[0],
    );
    expect(Date.parse(String(waiting['next_at']))).toBeGreaterThan(Date.parse(String(waiting['tried_at'])));
    await eventually('it came after all', 20_000, async () => (await deliveriesOf(flaky, '?state=delivered'))[0]);
    expect(new Set(at('flaky').map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect((await ask('GET', `/api/webhooks/${gone.id}/deliveries?state=lost`)).json.code).toBe('invalid_request');
  }, 60_000);

  it('OPS-3: Redis away for half a minute is told, once', async () => {
    await make('stores', { events: ['store.down'] });
    await redis?.stop();
    redis = null;
    await eventually('it is told', 60_000, () => at('stores')[0] ?? null);
    await new Promise((resolve) => setTimeout(resolve, 6000)); // one more look of the other worker
    expect(toldAt('stores')).toMatchObject([
      { type: 'store.down', subject: 'Redis does not answer', data: { store: 'redis', until: null } },
    ]);
  }, 90_000);
});

const today = (): string => new Date().toISOString().slice(0, 10);

function rowOf(budget: string, costNanos: number): LedgerRow {
  return {
    state: 'settled',
    processId: 'inst_e2e',
    boundNanos: costNanos,
    budgets: [budget],
    event: {
      id: `req_${uuidv7()}`,
      orgId: 'org_default',
      keyId: 'key_e2e',
      keyName: 'e2e',
      team: null,
      user: null,
      app: null,
      tags: [],
      route: '/v1/chat/completions',
      dialect: 'openai',
      provider: 'local',
      modelRequested: 'm',
      model: 'm',
      stream: false,
      status: 200,
      upstreamStatus: 200,
      error: null,
      usage: null,
      usageSource: 'none',
      costNanos,
      priceVersion: 'v',
      costEstimates: [],
      latencyMs: 1,
      firstByteMs: 1,
      attempts: 1,
      chain: null,
      requestId: null,
      traceId: null,
    },
  };
}
