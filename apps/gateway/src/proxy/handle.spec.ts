import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { systemClock } from '#libs/platform/clock.js';
import { Router } from '#libs/routing/index.js';
import { anyKey, providerOf, snapshotWith } from '#test/fakes/any-call.js';
import type { DataPlane } from './data-plane.js';
import { endpointOf } from './endpoints.js';
import { Exchange } from './exchange.js';
import { handle } from './handle.js';

const snapshot = snapshotWith(anyKey, [providerOf({ name: 'openai', type: 'openai' })]);
const router = new Router(systemClock);
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
