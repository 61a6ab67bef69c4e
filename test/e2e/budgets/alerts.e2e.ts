// What real calls do to real budgets, told to a real receiver: two gateways and two workers on the same stores.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startWebhookReceiver, type WebhookReceiver } from '#test/fakes/receiver/webhook-receiver.js';
import { eventually, type Product } from '../harness.js';
import { BudgetCluster, NANOS, secretOf, statusOf } from './budget-cluster.js';

interface Told {
  readonly type: string;
  readonly data: {
    readonly threshold?: number;
    readonly spentUsd?: string;
    readonly leftUsd?: string;
    readonly owner: string;
  };
}
const budget = { limit_usd: 0.02, period: 'monthly', time_zone: 'Europe/Berlin', mode: 'strict', warn_at: [0.25, 0.5] };

let receiver: WebhookReceiver;
let cluster: BudgetCluster;
beforeAll(async () => {
  receiver = await startWebhookReceiver();
  cluster = await BudgetCluster.start(2, {
    teams: { frugal: { budgets: [budget] } },
    keys: [{ name: 'told', team: 'frugal', key: secretOf('told') }],
  });
}, 120_000);
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await receiver?.stop();
}, 60_000);

const told = (): Told[] => receiver.messages.map(({ body }) => JSON.parse(body) as Told);

describe('alerts of budgets', () => {
  it('KEY-7: calls over two gateways: each threshold and the first refusal are told once, at what the ledger says', async () => {
    const [{ url, adminToken }] = cluster.products as [Product];
    const made = await fetch(`${url}/api/webhooks?wait=applied`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'w', url: `${receiver.url}/w` }),
    });
    expect(made.status).toBe(201);
    const statuses: number[] = [];
    for (let n = 0; n < 200 && statuses.filter((status) => status === 429).length < 20; n++) {
      statuses.push(await statusOf(cluster.chat('told', 'hi', { maxTokens: 100 }, n % 2)));
    }
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    const billed = cluster.upstream.billedNanos;
    expect(billed).toBeGreaterThan(0.5 * 0.02 * NANOS);
    await eventually('all three are told', 20_000, () => (told().length >= 3 ? true : null));
    await new Promise((resolve) => setTimeout(resolve, 3000)); // a second telling would come within a look of the other worker
    const found = told().sort((a, b) => (a.data.threshold ?? 1) - (b.data.threshold ?? 1));
    expect(found.map(({ type, data }) => [type, data.threshold ?? null, data.owner])).toEqual([
      ['budget.threshold', 0.25, 'frugal'],
      ['budget.threshold', 0.5, 'frugal'],
      ['budget.refused', null, 'frugal'],
    ]);
    for (const { data } of found.slice(0, 2)) {
      expect(Number(data.spentUsd)).toBeGreaterThanOrEqual((data.threshold as number) * 0.02);
      expect(Number(data.spentUsd) * NANOS).toBeLessThanOrEqual(billed + 1);
    }
    await eventually('the ledger has it', 10_000, async () =>
      (await cluster.spent('team:frugal:monthly')) === billed ? true : null,
    );
  }, 60_000);
});
