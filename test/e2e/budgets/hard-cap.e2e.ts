import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../harness.js';
import { BudgetCluster, NANOS, secretOf, statusOf, sum } from './budget-cluster.js';

const lifetime = (limit_usd: number, mode: 'clamp' | 'strict' | 'soft') => ({ limit_usd, period: 'lifetime', mode });
const KEYS = [
  { name: 'crowd', budgets: [lifetime(0.2, 'strict')] },
  { name: 'clamps', budgets: [lifetime(0.3, 'clamp')] },
  { name: 'leaves', budgets: [lifetime(1, 'clamp')] },
  { name: 'silent', budgets: [lifetime(1, 'strict')] },
  { name: 'sdk', budgets: [lifetime(0.001, 'strict')] },
  { name: 'cut', budgets: [{ limit_usd: 0.1, period: 'monthly', time_zone: 'Europe/Berlin' }] },
  { name: 'strict', budgets: [lifetime(0.01, 'strict')] },
  { name: 'soft', budgets: [lifetime(0.0001, 'soft')] },
  { name: 'stream', budgets: [lifetime(1, 'clamp')] },
  { name: 'outgrown', budgets: [lifetime(0.005, 'strict')] },
  { name: 'shown', budgets: [lifetime(2, 'clamp')] },
  { name: 'failing', budgets: [lifetime(1, 'strict')] },
  { name: 'free' },
  { name: 'both', budgets: [lifetime(1, 'strict')], limits: { rpm: 1 } },
  { name: 'both-poor', budgets: [lifetime(0.0001, 'strict')], limits: { rpm: 2 } },
  { name: 'of-team', team: 'poor' },
  { name: 'of-user', user: 'ada' },
  { name: 'of-app', app: 'portal' },
  { name: 'of-tag', tags: ['costly'] },
];
const OWNERS = {
  teams: { poor: { budgets: [lifetime(0.02, 'strict')] } },
  users: { ada: { budgets: [lifetime(0.02, 'strict')] } },
  apps: { portal: { budgets: [lifetime(0.02, 'strict')] } },
  tags: { costly: { budgets: [lifetime(0.02, 'strict')] } },
};

let cluster: BudgetCluster;
beforeAll(async () => {
  cluster = await BudgetCluster.start(2, { keys: KEYS.map((key) => ({ ...key, key: secretOf(key.name) })), ...OWNERS });
}, 120_000);
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
}, 60_000);
beforeEach(() => cluster.upstream.reset());

/** Calls over both gateways; each asks for an answer of its own length. */
function crowd(key: string, calls: number, text = 'hi wait=20', most = 400): Promise<number[]> {
  return Promise.all(
    Array.from({ length: calls }, (_, n) =>
      statusOf(cluster.chat(key, text, { maxTokens: 50 + Math.ceil(Math.random() * most) }, n % 2)),
    ),
  );
}

describe('hard budgets over two gateways', () => {
  it('KEY-4: 200 concurrent calls with random costs never pass the cap, and the ledger has each of them once', async () => {
    let served = 0;
    let billed = 0;
    for (let isSpent = false, burst = 0; !isSpent && burst < 20; burst++) {
      const statuses = await crowd('crowd', 200);
      expect(statuses.filter((status) => status !== 200 && status !== 429)).toEqual([]);
      isSpent = !statuses.includes(200);
      served += cluster.upstream.served;
      billed += cluster.upstream.billedNanos;
      expect(statuses.filter((status) => status === 200)).toHaveLength(cluster.upstream.served);
      expect(billed).toBeLessThanOrEqual(0.2 * NANOS);
      cluster.upstream.reset();
    }
    const rows = await cluster.rowsOnce('crowd', served);
    expect(rows).toHaveLength(served);
    expect(rows.every(({ state, cost, bound }) => state === 'settled' && cost <= bound)).toBe(true);
    expect(sum(rows)).toBe(billed);
    const id = `key:key_file_crowd:lifetime`;
    expect(await cluster.spent(id)).toBe(billed);
    const shown = await fetch(`${cluster.products[0]?.url}/api/keys/key_file_crowd`, {
      headers: { authorization: `Bearer ${cluster.products[0]?.adminToken}` },
    });
    const { spent_usd } = (await shown.json()) as { spent_usd: string };
    expect(Math.round(Number(spent_usd) * NANOS)).toBe(billed);
    // what is left would not have paid for the cheapest call that was asked for
    expect(0.2 * NANOS - billed).toBeLessThan(6_000_000);
  }, 60_000);

  it('KEY-4: clamped calls never pass the cap either, and spend nearly all of it', async () => {
    let billed = 0;
    for (let burst = 0; burst < 5; burst++) {
      await crowd('clamps', 100, 'hi wait=10 all', 3000);
      billed += cluster.upstream.billedNanos;
      cluster.upstream.reset();
    }
    expect(billed).toBeLessThanOrEqual(0.3 * NANOS);
    expect(billed).toBeGreaterThan(0.3 * NANOS * 0.9);
  }, 60_000);

  it('KEY-4: callers that leave at random: every call is one row at its true cost, and the money heals', async () => {
    const left = Array.from({ length: 60 }, (_, n) =>
      statusOf(
        cluster.chat('leaves', 'hi wait=100', { maxTokens: 200, signal: AbortSignal.timeout(5 + n * 3) }, n % 2),
      ).catch(() => 0),
    );
    await Promise.all(left);
    await eventually('no call at the provider', 5_000, () => (cluster.upstream.running === 0 ? true : null));
    const { served, billedNanos } = cluster.upstream;
    await eventually('all rows at their cost', 10_000, async () => {
      const rows = await cluster.rows('leaves');
      // calls whose caller left before anything was sent have a row too, at no cost
      const isWhole =
        rows.filter(({ cost }) => cost > 0).length === served && rows.every((row) => row.state === 'settled');
      return isWhole && sum(rows) === billedNanos ? true : null;
    });
    // What the neighbour spent is heard of with the next messages; its idle slices read as spent.
    await eventually('the header says what is left', 15_000, async () => {
      const answer = await cluster.chat('leaves', 'hi', { maxTokens: 10 });
      const remaining = Number(answer.headers.get('x-smartflow-budget-remaining'));
      const truth = 1 - cluster.upstream.billedNanos / NANOS;
      return remaining <= truth + 1e-9 && remaining > truth - 0.1 ? true : null;
    });
  }, 30_000);

  it('KEY-4: an answer without usage is booked at its bound, as unknown', async () => {
    expect(await statusOf(cluster.chat('silent', 'silent', { maxTokens: 100 }))).toBe(200);
    const [row] = await cluster.rowsOnce('silent', 1);
    expect(row).toMatchObject({ state: 'unknown', cost: row?.bound, budgets: ['key:key_file_silent:lifetime|life'] });
    expect(row?.bound).toBeGreaterThanOrEqual(1_000_000);
  });

  it('KEY-6: an error after dispatch may have been billed and stands at its bound; a refusal cost nothing', async () => {
    for (const status of [400, 429, 500, 502, 503, 529]) {
      expect(await statusOf(cluster.chat('failing', `status=${status}`))).toBe(status);
    }
    const rows = await cluster.rowsOnce('failing', 6);
    const booked = rows.map(({ status, state, cost, bound }) => [status, state, cost === bound ? 'bound' : cost]);
    expect(booked.sort(([a], [b]) => Number(a) - Number(b))).toEqual([
      [400, 'settled', 0],
      [429, 'settled', 0],
      [500, 'unknown', 'bound'],
      [502, 'unknown', 'bound'],
      [503, 'unknown', 'bound'],
      [529, 'settled', 0],
    ]);
    expect(await cluster.spent('key:key_file_failing:lifetime')).toBe(sum(rows));
  });
});

describe('what a caller sees of a budget', () => {
  const ask = { model: 'local/paid', messages: [{ role: 'user' as const, content: 'hi' }], max_tokens: 1000 };

  it('KEY-3: the OpenAI SDK gets 429 insufficient_quota and does not try again', async () => {
    let requests = 0;
    const client = new OpenAI({
      baseURL: `${cluster.products[0]?.url}/v1`,
      apiKey: secretOf('sdk'),
      fetch: (url, init) => {
        requests += 1;
        return fetch(url as string, init as RequestInit);
      },
    });
    const error = await client.chat.completions.create(ask).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenAI.RateLimitError);
    const { status, code, type, headers, message } = error as InstanceType<typeof OpenAI.RateLimitError>;
    expect([status, code, type]).toEqual([429, 'insufficient_quota', 'insufficient_quota']);
    expect(message).toContain('key "sdk"');
    expect(Object.fromEntries(headers?.entries() ?? [])).toMatchObject({
      'x-smartflow-budget-remaining': '0',
      'x-smartflow-budget-limit': '0.001',
      'x-smartflow-budget-scope': 'key',
      'x-should-retry': 'false',
    });
    expect(headers?.get('retry-after')).toBeNull();
    expect([requests, cluster.upstream.served]).toEqual([1, 0]);
  });

  it('KEY-3: the Anthropic SDK gets 429 and does not try again; the Gemini API its own error', async () => {
    let requests = 0;
    const client = new Anthropic({
      baseURL: `${cluster.products[1]?.url}/anthropic`,
      apiKey: secretOf('sdk'),
      fetch: (url, init) => {
        requests += 1;
        return fetch(url as string, init as RequestInit);
      },
    });
    const body = { model: 'anthropic/claude-paid', max_tokens: 1000, messages: ask.messages };
    const error = await client.messages.create(body).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Anthropic.RateLimitError);
    const { status, headers } = error as InstanceType<typeof Anthropic.RateLimitError>;
    expect([status, headers.get('x-should-retry'), headers.get('retry-after')]).toEqual([429, 'false', null]);
    expect([requests, cluster.upstream.served]).toEqual([1, 0]);
  });

  it('KEY-4: a clamp cuts the answer to a quarter of what is left, says so, and refuses below what is of use', async () => {
    const first = await cluster.chat('cut', 'all', { maxTokens: 100_000 });
    expect(first.status).toBe(200);
    const allowed = Number(first.headers.get('x-smartflow-budget-max-tokens'));
    expect(cluster.upstream.lastMaximum).toBe(allowed);
    expect(allowed * 10_000).toBeLessThanOrEqual((0.1 * NANOS) / 4);
    expect(allowed * 10_000).toBeGreaterThan((0.1 * NANOS) / 5);
    expect(first.headers.get('x-smartflow-budget-limit')).toBe('0.1');
    const reset = new Date(first.headers.get('x-smartflow-budget-reset') ?? '');
    expect(reset.getTime()).toBeGreaterThan(Date.now());
    expect(reset.toLocaleString('en', { timeZone: 'Europe/Berlin', day: 'numeric', hour: 'numeric' })).toMatch(
      /^1.*12/,
    );
    expect(Number(first.headers.get('x-smartflow-budget-remaining'))).toBeCloseTo(
      0.1 - cluster.upstream.billedNanos / NANOS,
      9,
    );
    const statuses: number[] = [];
    for (let n = 0; n < 40; n++) statuses.push(await statusOf(cluster.chat('cut', 'all', { maxTokens: 100_000 })));
    expect(statuses.at(-1)).toBe(429);
    expect(cluster.upstream.billedNanos).toBeLessThanOrEqual(0.1 * NANOS);
    expect(cluster.upstream.billedNanos).toBeGreaterThan(0.08 * NANOS);
  }, 30_000);

  it('KEY-4: a request without a maximum gets one; without a budget it stays as it is', async () => {
    expect(await statusOf(cluster.chat('leaves', 'hi', { maxTokens: null }))).toBe(200);
    expect(cluster.upstream.lastMaximum).toBeGreaterThan(0);
    expect(await statusOf(cluster.chat('free', 'hi', { maxTokens: null }))).toBe(200);
    expect(cluster.upstream.lastMaximum).toBeNull();
  });

  it('KEY-4: a number of answers that servers may read differently is refused by its name before anything is sent', async () => {
    const send = (key: string, more: object): Promise<Response> =>
      fetch(`${cluster.products[0]?.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${secretOf(key)}`, 'content-type': 'application/json' },
        body: JSON.stringify({ ...ask, max_tokens: 10, ...more }),
      });
    const refused = await send('leaves', { n: '5' });
    expect([refused.status, await refused.json()]).toMatchObject([
      403,
      { error: { code: 'cost_unbounded', param: 'n' } },
    ]);
    expect(cluster.upstream.served).toBe(0);
    // under a name that this provider need not read a maximum is no bound: it is sent again under the one it reads
    expect(await statusOf(send('leaves', { max_tokens: undefined, max_completion_tokens: 77 }))).toBe(200);
    expect(cluster.upstream.lastMaximum).toBe(77);
  });

  it('KEY-4: strict refuses what does not fit as a whole and lets through what does', async () => {
    const refused = await cluster.chat('strict', 'hi', { maxTokens: 2000 });
    expect(refused.status).toBe(429);
    expect(((await refused.json()) as { error: { message: string } }).error.message).toContain('$0.01 left');
    expect(cluster.upstream.served).toBe(0);
    expect(await statusOf(cluster.chat('strict', 'hi', { maxTokens: 100 }))).toBe(200);
  });

  it('KEY-4: soft lets everything through and counts it', async () => {
    for (let n = 0; n < 5; n++) expect(await statusOf(cluster.chat('soft', 'all', { maxTokens: 500 }))).toBe(200);
    const answer = await cluster.chat('soft', 'all', { maxTokens: 500 });
    expect([answer.status, answer.headers.get('x-smartflow-budget-remaining')]).toEqual([200, '0']);
    expect(cluster.upstream.lastMaximum).toBe(500);
    await cluster.rowsOnce('soft', 6);
    expect(await cluster.spent('key:key_file_soft:lifetime:soft')).toBe(cluster.upstream.billedNanos);
  });

  it('KEY-4: a stream is settled at its cost', async () => {
    const client = new OpenAI({ baseURL: `${cluster.products[0]?.url}/v1`, apiKey: secretOf('stream') });
    const stream = await client.chat.completions.create({ ...ask, stream: true });
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toBe('ok');
    const [row] = await cluster.rowsOnce('stream', 1);
    expect(row).toMatchObject({ state: 'settled', cost: cluster.upstream.billedNanos });
  });

  it('KEY-4: a stream whose provider honours no maximum gets more money while there is some, then it is ended', async () => {
    const rich = await cluster.chat('stream', 'endless=1500', { stream: true, maxTokens: 100 });
    expect(await rich.text()).toMatch(/data: \[DONE\]\s*$/);
    const grown = (await cluster.rowsOnce('stream', 2)).at(-1);
    // 7,500 bytes of content are more than 100 tokens may be: it takes more than was set aside at first
    expect(grown?.bound).toBeGreaterThan(3_000_000);
    const poor = await cluster.chat('outgrown', 'endless=20000', { stream: true, maxTokens: 100 });
    const text = await poor.text();
    expect(text).not.toContain('[DONE]');
    expect(text).toContain('"code":"insufficient_quota"');
    const [row] = await cluster.rowsOnce('outgrown', 1);
    expect(row).toMatchObject({ state: 'unknown', cost: row?.bound });
    expect(row?.cost).toBeLessThanOrEqual(0.005 * NANOS);
  }, 30_000);

  it('KEY-4: rate limit and budget are taken together or not at all', async () => {
    expect(await statusOf(cluster.chat('both', 'hi', { maxTokens: 10 }))).toBe(200);
    const limited = await cluster.chat('both', 'hi', { maxTokens: 10 });
    expect([limited.status, limited.headers.get('x-smartflow-limit')]).toEqual([429, 'rpm']);
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    await cluster.rowsOnce('both', 1);
    // refused by the budget: the two requests a minute are not used up
    for (let n = 0; n < 4; n++) {
      const refused = await cluster.chat('both-poor', 'hi', { maxTokens: 1000 });
      expect([refused.status, refused.headers.get('x-smartflow-error')]).toEqual([429, 'budget_exceeded']);
    }
    expect(await cluster.rows('both-poor')).toEqual([]);
  });

  it('KEY-2: budgets of team, user, app and tag hold for keys that have none', async () => {
    for (const [key, scope] of Object.entries({
      'of-team': 'team',
      'of-user': 'user',
      'of-app': 'app',
      'of-tag': 'tag',
    })) {
      cluster.upstream.reset();
      const statuses = await crowd(key, 30, 'all', 200);
      expect([key, statuses.includes(429)]).toEqual([key, true]);
      expect(cluster.upstream.billedNanos).toBeLessThanOrEqual(0.02 * NANOS);
      const refused = await cluster.chat(key, 'all', { maxTokens: 5000 });
      expect([refused.status, refused.headers.get('x-smartflow-budget-scope')]).toEqual([429, scope]);
    }
  }, 30_000);

  it('KEY-2: /api/budgets tells what is spent, set aside and left; it is paged and narrowed', async () => {
    const admin = cluster.products[0] as { url: string; adminToken: string };
    interface Listed {
      items: {
        id: string;
        owner: string;
        spent_usd: string;
        reserved_usd: string;
        remaining_usd: string;
        limit_usd: string;
      }[];
      nextCursor: string | null;
    }
    const list = async (query: string): Promise<Listed> => {
      const headers = { authorization: `Bearer ${admin.adminToken}` };
      return (await (await fetch(`${admin.url}/api/budgets${query}`, { headers })).json()) as Listed;
    };
    expect(await statusOf(cluster.chat('shown', 'hi', { maxTokens: 100 }))).toBe(200);
    const [row] = await cluster.rowsOnce('shown', 1);
    const { items } = await list('?owner=shown');
    expect(items).toMatchObject([{ id: 'key:key_file_shown:lifetime', owner: 'shown', limit_usd: '2' }]);
    const nanos = (usd: string | undefined): number => Math.round(Number(usd) * NANOS);
    expect(nanos(items[0]?.spent_usd)).toBe(row?.cost);
    const total = nanos(items[0]?.spent_usd) + nanos(items[0]?.reserved_usd) + nanos(items[0]?.remaining_usd);
    expect(total).toBe(2 * NANOS);
    const seen: string[] = [];
    for (let cursor = ''; ;) {
      const page = await list(`?limit=4${cursor}`);
      seen.push(...page.items.map(({ id }) => id));
      if (page.nextCursor === null) break;
      cursor = `&cursor=${page.nextCursor}`;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(expect.arrayContaining(['team:poor:lifetime', 'user:ada:lifetime', 'tag:costly:lifetime']));
    expect((await list('?scope=team')).items.map(({ id }) => id)).toEqual(['team:poor:lifetime']);
  });

  it('KEY-5: a model without a price is refused under a hard budget, and served without one', async () => {
    const refused = await cluster.chat('leaves', 'hi', { model: 'local/unheard-of' });
    expect([refused.status, refused.headers.get('x-smartflow-error')]).toEqual([403, 'model_unpriced']);
    expect(cluster.upstream.served).toBe(0);
    expect(await statusOf(cluster.chat('free', 'hi', { model: 'local/unheard-of' }))).toBe(200);
  });
});
