// Spend of real calls through the built product: whose money it was, on whose days.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, startProduct, type Product } from '../harness.js';

interface Report {
  readonly items: readonly Record<string, unknown>[];
  readonly totals: Record<string, unknown>;
  readonly from: string;
  readonly timeZone: string;
}

describe('spend reports', () => {
  let product: Product;
  beforeAll(async () => {
    product = await startProduct({ config: { providers: { demo: { type: 'demo' } } } });
  }, 120_000);
  afterAll(() => product?.stop(), 60_000);

  async function ask(method: string, target: string, body?: unknown) {
    const answer = await fetch(`${product.url}${target}`, {
      method,
      headers: { authorization: `Bearer ${product.adminToken}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, text, json: () => JSON.parse(text) };
  }
  const report = async (query: string): Promise<Report> => (await ask('GET', `/api/spend?${query}`)).json() as Report;

  it('KEY-7: a call is spent by the team, user, app, tags and key of the key it came with, to the nano-dollar', async () => {
    for (const [kind, name] of [
      ['teams', 'red'],
      ['users', 'ann'],
      ['apps', 'portal'],
    ] as const) {
      expect((await ask('POST', `/api/${kind}`, { name })).status).toBe(201);
    }
    const owners = { team: 'red', user: 'ann', app: 'portal', tags: ['x', 'y'] };
    const made = (await ask('POST', '/api/keys', { name: 'owned', ...owners })).json() as { id: string; key: string };
    const costs: string[] = [];
    for (let i = 0; i < 3; i++) {
      const answer = await fetch(`${product.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${made.key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'demo/echo', messages: [{ role: 'user', content: 'x'.repeat(i * 50 + 1) }] }),
      });
      expect(answer.status).toBe(200);
      await answer.text();
      const id = String(answer.headers.get('x-request-id'));
      const row = await eventually(`the row ${id}`, 10_000, async () => {
        const found = await ask('GET', `/api/logs/${id}`);
        return found.status === 200 ? (found.json() as { costUsd: string }) : null;
      });
      costs.push(row.costUsd);
    }
    const sum = costs.reduce((total, usd) => total + nanosOf(usd), 0n);
    expect(sum).toBeGreaterThan(0n);
    for (const [group, value] of Object.entries({
      team: 'red',
      user: 'ann',
      app: 'portal',
      key: 'owned',
      model: 'echo',
      provider: 'demo',
    })) {
      const { items } = await report(`group_by=${group}&key=${made.id}`);
      expect(items.map((item) => [item[group], item['calls'], nanosOf(String(item['costUsd']))])).toEqual([
        [value, 3, sum],
      ]);
    }
    const byTag = await report('group_by=tag&user=ann');
    expect(byTag.items.map((item) => [item['tag'], nanosOf(String(item['costUsd']))])).toEqual([
      ['x', sum],
      ['y', sum],
    ]);
    expect(nanosOf(String(byTag.totals['costUsd']))).toBe(sum);
    const csv = (await ask('GET', '/api/spend?group_by=app,user&format=csv')).text.split('\r\n');
    expect(csv.find((line) => line.startsWith('portal,ann,3,'))).toMatch(/,0\.\d+$/);
  }, 60_000);

  it('KEY-7: days are the organisation’s own, from the moment its zone is changed', async () => {
    expect((await report('group_by=day')).timeZone).toBe('UTC');
    const changed = await ask('PATCH', '/api/orgs/org_default', { time_zone: 'Pacific/Kiritimati' });
    expect(changed.status).toBe(200);
    const { timeZone, from } = await report('group_by=day&from=2026-10-01');
    expect([timeZone, from]).toEqual(['Pacific/Kiritimati', '2026-09-30T10:00:00.000Z']);
    expect((await report('group_by=day&from=2026-10-01&time_zone=UTC')).from).toBe('2026-10-01T00:00:00.000Z');
  });
});

function nanosOf(usd: string): bigint {
  const [whole = '0', fraction = ''] = usd.split('.');
  return BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
}
