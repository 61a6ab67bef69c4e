import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { KeyRecord } from '#libs/keys-budgets/index.js';
import { Secret } from '#libs/platform/secret.js';
import { compileProvider, type Provider } from '#libs/providers/index.js';
import { ModelIndex } from '#libs/routing/index.js';
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
  tags: [],
  expiresAtMs: null,
  status: 'active',
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
    headers: {},
    models: [],
    timeouts: { connectMs: 1, firstByteMs: 1, idleMs: 1, totalMs: 1 },
  },
  null,
) as Provider;

const snapshot: Snapshot = {
  version: 1,
  keys: { find: (presented: string) => (presented === 'good' ? key : null) } as Snapshot['keys'],
  models: new ModelIndex([], [openai], () => []),
  priceOverrides: [],
};

/** What became of one call under a state of the process: its answer's status, the code counted, and how often it was sent on. */
function outcomeOf(state: { readonly isBlind: boolean; readonly hasRoom: boolean }) {
  const request = new IncomingMessage(new Socket());
  const headers = { authorization: 'Bearer good' };
  Object.assign(request, { url: '/v1/chat/completions', headers, rawHeaders: Object.entries(headers).flat() });
  const response = new ServerResponse(request);
  const refused: string[] = [];
  let dispatched = 0;
  const plane = {
    isBlind: () => state.isBlind,
    usage: { hasRoom: () => state.hasRoom, record: () => {} },
    metrics: { refused: (_route: string, code: string) => refused.push(code) },
    active: { size: 0, add: () => {}, delete: () => {} },
    bodies: null,
    pools: { of: () => ({ dispatch: () => dispatched++ }) },
  } as unknown as DataPlane;
  const body = Buffer.from('{"model":"openai/gpt-5-mini","messages":[]}');
  handle(new Exchange(endpointOf('POST', '/v1/chat/completions')!, request, response, body, snapshot), plane);
  return { status: response.statusCode, refused, dispatched };
}

describe('handle', () => {
  it('sends a call on that nothing speaks against', () => {
    expect(outcomeOf({ isBlind: false, hasRoom: true })).toEqual({ status: 200, refused: [], dispatched: 1 });
  });

  it('OPS-3: a replica that has not heard of revocations for too long admits nobody', () => {
    const outcome = outcomeOf({ isBlind: true, hasRoom: true });
    expect(outcome).toEqual({ status: 503, refused: ['store_unavailable'], dispatched: 0 });
  });

  it('OBS-1: a call whose ledger row could not be kept is not sent', () => {
    const outcome = outcomeOf({ isBlind: false, hasRoom: false });
    expect(outcome).toEqual({ status: 503, refused: ['overloaded'], dispatched: 0 });
  });
});
