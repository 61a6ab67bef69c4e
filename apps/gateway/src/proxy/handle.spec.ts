import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { OwnerIndex, type KeyRecord } from '#libs/keys-budgets/index.js';
import { systemClock } from '#libs/platform/clock.js';
import { Secret } from '#libs/platform/secret.js';
import { compileProvider, type Provider } from '#libs/providers/index.js';
import { RegistryState } from '#libs/registry/index.js';
import { ChainIndex, ModelIndex, Router } from '#libs/routing/index.js';
import type { DataPlane } from './data-plane.js';
import { endpointOf } from './endpoints.js';
import { Exchange } from './exchange.js';
import { handle } from './handle.js';
import type { Snapshot } from './snapshot.js';

const key: KeyRecord = {
  id: 'key_1',
  name: 'test',
  orgId: 'org_default',
  team: null,
  user: null,
  app: null,
  tags: [],
  budgets: [],
  limits: [],
  chain: null,
  teamChain: null,
  expiresAtMs: null,
  status: 'active',
  problem: null,
  source: 'api',
  mayUseModel: () => true,
  mayUseRoute: () => true,
};

const openai = compileProvider(
  {
    name: 'openai',
    type: 'openai',
    baseUrl: 'https://provider.example/v1',
    apiKey: new Secret('sk-upstream-secret'),
    apiVersion: null,
    streamUsage: true,
    defaultTier: null,
    headers: {},
    models: [],
    timeouts: { connectMs: 1, firstByteMs: 1, idleMs: 1, totalMs: 1 },
    clientGone: { action: 'cancel', maxBytes: 0, maxMs: 0 },
  },
  null,
) as Provider;

const router = new Router(systemClock);
const models = new ModelIndex([], [openai], () => []);
const parts = { models, health: router.health, costOf: () => null };

const snapshot: Snapshot = {
  version: 1,
  keys: { find: (presented: string) => (presented === 'good' ? key : null) } as Snapshot['keys'],
  models,
  chains: new ChainIndex({ registry: RegistryState.empty, fileChains: [], fileModels: [] }, parts),
  owners: OwnerIndex.empty,
  modelLimits: new Map(),
  priceOverrides: { of: () => [] },
  refusesUnpriced: false,
};

const ADMITTED = { ok: true, written: Promise.resolve(true), boundNanos: 0 };

/** What became of one call under a state of the process: its answer's status, the code counted, and how often it was sent on. */
async function outcomeOf(state: { readonly isBlind?: boolean; readonly admission?: object }) {
  const request = new IncomingMessage(new Socket());
  const headers = { authorization: 'Bearer good' };
  Object.assign(request, { url: '/v1/chat/completions', headers, rawHeaders: Object.entries(headers).flat() });
  const response = new ServerResponse(request);
  const refused: string[] = [];
  let dispatched = 0;
  const plane = {
    isBlind: () => state.isBlind ?? false,
    budgetSets: { of: () => ({ hasHard: false }) },
    budgets: { admit: () => state.admission ?? ADMITTED, cancel: () => {}, tightest: () => null },
    metrics: { refused: (_route: string, code: string) => refused.push(code) },
    active: { size: 0, add: () => {}, delete: () => {} },
    bodies: null,
    router,
    pools: { of: () => ({ dispatch: () => dispatched++ }) },
    log: { error: () => {} },
  } as unknown as DataPlane;
  const body = Buffer.from('{"model":"openai/gpt-5-mini","messages":[]}');
  handle(new Exchange(endpointOf('POST', '/v1/chat/completions')!, request, response, body, snapshot), plane);
  await turn();
  return { status: response.statusCode, refused, dispatched };
}

describe('handle', () => {
  it('sends a call on that nothing speaks against', async () => {
    expect(await outcomeOf({})).toEqual({ status: 200, refused: [], dispatched: 1 });
  });

  it('OPS-3: a replica that has not heard of revocations for too long admits nobody', async () => {
    const outcome = await outcomeOf({ isBlind: true });
    expect(outcome).toEqual({ status: 503, refused: ['store_unavailable'], dispatched: 0 });
  });

  it.each([
    ['cannot be booked', { ok: false, reason: 'store', budget: null }],
    ['has no intent on the disk', { ...ADMITTED, written: Promise.resolve(false) }],
  ])('KEY-6: a call that %s is not sent', async (_why, admission) => {
    const outcome = await outcomeOf({ admission });
    expect(outcome).toEqual({ status: 503, refused: ['store_unavailable'], dispatched: 0 });
  });
});
