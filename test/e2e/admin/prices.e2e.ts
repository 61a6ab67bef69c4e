import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startAdminGateway, type AdminGateway } from './admin-gateway.js';

const DAY_MS = 86_400_000;
const day = (offset: number): string => new Date(Date.now() + offset * DAY_MS).toISOString().slice(0, 10);

describe('/api/prices', () => {
  let gateway: AdminGateway;
  beforeAll(async () => {
    gateway = await startAdminGateway({
      providers: { demo: { type: 'demo' } },
      prices: { 'demo/story': { input: 3, output: 4, from: '2026-01-01' } },
      keys: [{ name: 'ci', key: 'a-key-for-prices-0123456789' }],
    });
  }, 60_000);
  afterAll(() => gateway?.stop(), 30_000);

  const create = (body: unknown, query = '') => gateway.call('POST', `/api/prices${query}`, { body });
  const PRICE = { model: 'demo/echo', input: 10, output: 20 };

  async function costOfEcho(): Promise<string | null> {
    const { headers, status } = await gateway.call('POST', '/v1/chat/completions', {
      token: 'a-key-for-prices-0123456789',
      body: { model: 'demo/echo', messages: [{ role: 'user', content: 'hi' }] },
    });
    expect(status).toBe(200);
    return headers.get('x-smartflow-cost-usd');
  }

  it('KEY-5: an override counts from its moment on, at once and on calls; what it replaced is its history', async () => {
    const before = Number(await costOfEcho());
    const past = await create({ ...PRICE, from: day(-30), note: 'first contract' }, '?wait=applied');
    expect(past.status).toBe(201);
    expect(past.headers.get('x-smartflow-applied')).toBe('1/1');
    expect(past.json).toMatchObject({
      ...PRICE,
      source: 'api',
      in_force: true,
      note: 'first contract',
      web_search: null,
    });
    expect(past.json.from).toBe(`${day(-30)}T00:00:00.000Z`);
    // 10 and 20 instead of 1 and 2 USD per million
    expect(Number(await costOfEcho())).toBeCloseTo(before * 10, 12);

    const next = await create({ ...PRICE, input: 100, from: day(30) });
    expect(next.json).toMatchObject({ input: 100, in_force: false });
    expect(Number(await costOfEcho())).toBeCloseTo(before * 10, 12);
    const { json } = await gateway.call('GET', '/api/prices');
    expect(json.items.map(({ model }: { model: string }) => model)).toEqual(['demo/echo', 'demo/story']);
    expect(json.items[0].overrides.map(({ id }: { id: string }) => id)).toEqual([next.json.id, past.json.id]);
    expect(json.items[0].listed).toEqual([
      expect.objectContaining({
        service_tier: null,
        from: null,
        above_tokens: -1,
        input: 1,
        output: 2,
        cached_input: 0.1,
      }),
    ]);

    const one = await gateway.call('GET', `/api/prices/${past.json.id}`);
    expect([one.status, one.json.in_force]).toEqual([200, true]);
    const stale = { 'if-match': `"${past.json.version - 1}"` };
    expect((await gateway.call('DELETE', `/api/prices/${past.json.id}`, { headers: stale })).status).toBe(409);
    expect((await gateway.call('DELETE', `/api/prices/${past.json.id}`)).status).toBe(204);
    expect(Number(await costOfEcho())).toBeCloseTo(before, 12);
    expect((await gateway.call('GET', `/api/prices/${past.json.id}`)).status).toBe(404);
    expect((await gateway.call('DELETE', `/api/prices/${past.json.id}`)).status).toBe(404);
  });

  it('KEY-5: prices of the file are shown as such and locked', async () => {
    const { json } = await gateway.call('GET', '/api/prices?model=demo/story');
    const [override] = json.items[0].overrides;
    expect(override).toMatchObject({
      model: 'demo/story',
      source: 'file',
      version: 0,
      in_force: true,
      input: 3,
      output: 4,
    });
    const refused = await gateway.call('DELETE', `/api/prices/${override.id}`);
    expect([refused.status, refused.json.code]).toEqual([409, 'file_owned']);
    const created = await create({ model: 'demo/story', input: 1, output: 1 });
    expect([created.status, created.json.code]).toEqual([409, 'file_owned']);
    expect((await gateway.call('GET', `/api/prices/${override.id}`)).json).toEqual(override);
  });

  it('KEY-5: any model can be looked up, with the published prices of all its tiers', async () => {
    const { json } = await gateway.call('GET', '/api/prices?model=demo/embed');
    expect(json.items).toEqual([
      { model: 'demo/embed', overrides: [], listed: [expect.objectContaining({ input: 0.1, output: null })] },
    ]);
    const none = await gateway.call('GET', '/api/prices?model=nobody/x');
    expect(none.json.items).toEqual([{ model: 'nobody/x', overrides: [], listed: [] }]);
  });

  it('KEY-5: two overrides of a model cannot begin at the same moment', async () => {
    const body = { model: 'demo/tool', input: 1, output: 1, from: '2027-02-01' };
    expect((await create(body)).status).toBe(201);
    const second = await create(body);
    expect([second.status, second.json.code]).toEqual([409, 'conflict']);
  });

  it.each([
    ['a model without provider', { ...PRICE, model: 'echo' }, 'model'],
    ['a provider that is not there', { ...PRICE, model: 'opnai/gpt-5' }, 'model'],
    ['a name with a line end', { ...PRICE, model: 'demo/ec\nho' }, 'model'],
    ['no output price', { model: 'demo/echo', input: 1 }, 'output'],
    ['a negative price', { ...PRICE, input: -1 }, 'input'],
    ['an absurd price', { ...PRICE, output: 1e12 }, 'output'],
    ['a price as text', { ...PRICE, input: '1' }, 'input'],
    ['a negative cache price', { ...PRICE, cached_input: -0.1 }, 'cached_input'],
    ['a day that is none', { ...PRICE, from: '2026-02-30' }, 'from'],
    ['a time without zone', { ...PRICE, from: '2026-02-03T12:00:00' }, 'from'],
    ['a day of another age', { ...PRICE, from: '1969-01-01' }, 'from'],
    ['a note with control characters', { ...PRICE, note: 'a\u0007' }, 'note'],
    ['an unknown field', { ...PRICE, reasoning: 1 }, 'reasoning'],
  ])('KEY-5: %s is refused by name', async (_what, body, field) => {
    const { status, json } = await create(body);
    expect(status).toBe(400);
    expect(JSON.stringify(json)).toContain(field);
  });

  it('IAM-5: the audit log has the change, before and after', async () => {
    const { json } = await gateway.call('GET', '/api/audit?limit=200');
    const actions = json.items.map(({ action }: { action: string }) => action);
    expect(actions).toEqual(expect.arrayContaining(['price.create', 'price.delete']));
    const made = json.items.findLast(({ action }: { action: string }) => action === 'price.create');
    expect(made.after).toMatchObject({ model: 'demo/echo', inputUsd: 10, outputUsd: 20, note: 'first contract' });
  });

  it('CFG-5: the list is paged by name', async () => {
    const first = await gateway.call('GET', '/api/prices?limit=1');
    expect(first.json.items).toHaveLength(1);
    const second = await gateway.call('GET', `/api/prices?limit=1&cursor=${first.json.nextCursor}`);
    expect(second.json.items[0].model > first.json.items[0].model).toBe(true);
    expect((await gateway.call('GET', '/api/prices?cursor=%21')).status).toBe(400);
  });
});
