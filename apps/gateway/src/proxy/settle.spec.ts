import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { TokenUsage } from '#libs/dialects/index.js';
import type { Admission, KeyRecord } from '#libs/keys-budgets/index.js';
import { systemClock } from '#libs/platform/clock.js';
import { Router, type Attempt, type RouteContext, type RoutePlan, type Target } from '#libs/routing/index.js';
import { ActiveCalls } from './active-calls.js';
import { DrainRoom } from './client-gone.js';
import type { DataPlane } from './data-plane.js';
import { endpointOf } from './endpoints.js';
import { Exchange } from './exchange.js';
import { settle, type Outcome } from './settle.js';
import type { Snapshot } from './snapshot.js';
import type { Reading } from './read.js';
import { RoutedCall } from './routed-call.js';
import { UpstreamAttempt } from './upstream-attempt.js';
import type { Way } from './way.js';

interface Booked {
  readonly cost: number | null;
  readonly seen: number;
}

const SEEN_NANOS = 700;
const USAGE: TokenUsage = {
  inputTokens: 10,
  cachedInputTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
  outputTokens: 5,
  reasoningTokens: 0,
  webSearchRequests: 0,
  details: null,
  raw: '{}',
};

function exchangeOf(upstreamStatus: number | null): Exchange {
  const request = new IncomingMessage(new Socket());
  Object.assign(request, { url: '/v1/chat/completions', method: 'POST', headers: {}, rawHeaders: [] });
  const endpoint = endpointOf('POST', '/v1/chat/completions')!;
  const response = new ServerResponse(request);
  const exchange = new Exchange(endpoint, request, response, Buffer.from('{}'), {} as Snapshot);
  exchange.operation = 'chat';
  const target = { provider: { name: 'p', timeouts: { totalMs: 1 } }, model: 'm' } as unknown as Target;
  const way: Way = { dialect: endpoint.dialect, operation: 'chat', translator: null };
  exchange.attempt = new UpstreamAttempt({ target: { target } } as Attempt, way, null, []);
  exchange.attempt.upstreamStatus = upstreamStatus;
  exchange.key = { id: 'key_1', orgId: 'org_default' } as KeyRecord;
  exchange.admission = { draft: '{}', accounts: [{}], boundNanos: 500 } as unknown as Admission;
  return exchange;
}

function planeOf(more: object = {}): { plane: DataPlane; booked: Booked[]; errors: unknown[] } {
  const booked: Booked[] = [];
  const errors: unknown[] = [];
  const plane = {
    budgets: {
      settle: (_admission: Admission, cost: number | null, _event: string, seen = 0) =>
        void booked.push({ cost, seen }),
    },
    metrics: { called() {}, billed() {}, clientGone() {} },
    unpriced: { note() {} },
    active: new ActiveCalls(),
    drains: new DrainRoom(1),
    log: { error: (fields: { err?: unknown }) => void errors.push(fields.err), warn() {} },
    bodies: null,
    ...more,
  } as unknown as DataPlane;
  return { plane, booked, errors };
}

const outcome = (changes: Partial<Outcome>): Outcome => ({
  usage: null,
  complete: true,
  error: null,
  sent: true,
  captured: null,
  price: { costNanos: changes.usage == null ? 0 : SEEN_NANOS, priceVersion: 'v', components: [], estimates: [] },
  ...changes,
});

describe('settle', () => {
  it.each([
    [400, 0],
    [404, 0],
    [429, 0],
    [529, 0],
    [500, null],
    [502, null],
    [503, null],
    [504, null],
    [null, null],
  ])('KEY-6: an answer %s without usage is booked at %s: only a refusal surely cost nothing', (status, cost) => {
    const { plane, booked } = planeOf();
    const tokens: (number | null)[] = [];
    const exchange = exchangeOf(status);
    exchange.ticket = { settle: (used: number | null) => void tokens.push(used) } as unknown as Exchange['ticket'];
    settle(exchange, plane, outcome({ complete: status !== null, error: status === null ? 'upstream_timeout' : null }));
    expect(booked).toEqual([{ cost, seen: 0 }]);
    expect(tokens).toEqual([cost]);
  });

  it('KEY-6: nothing is booked for a call that was not sent', () => {
    const { plane, booked } = planeOf();
    settle(exchangeOf(null), plane, outcome({ sent: false, complete: false, error: 'upstream_unreachable' }));
    expect(booked).toEqual([{ cost: 0, seen: 0 }]);
  });

  it.each([
    ['with budgets', [{}]],
    ['without budgets', []],
  ])('KEY-6: a cut answer %s is unknown, and what was seen of it is told', (_name, accounts) => {
    const { plane, booked } = planeOf();
    const exchange = exchangeOf(200);
    Object.assign(exchange.admission as object, { accounts });
    settle(exchange, plane, outcome({ usage: USAGE, complete: false, error: 'upstream_cut' }));
    expect(booked).toEqual([{ cost: null, seen: SEEN_NANOS }]);
  });

  it('KEY-6: a whole answer is booked at its price, a second end changes nothing', () => {
    const { plane, booked } = planeOf();
    const exchange = exchangeOf(200);
    settle(exchange, plane, outcome({ usage: USAGE }));
    settle(exchange, plane, outcome({ usage: null }));
    expect(booked).toEqual([{ cost: SEEN_NANOS, seen: SEEN_NANOS }]);
  });

  it('KEY-6: a fault while a call is recorded leaves neither the call nor its money behind', () => {
    const { plane, booked, errors } = planeOf();
    const exchange = exchangeOf(200);
    exchange.ticket = {
      settle: () => {
        throw new Error('broken');
      },
    } as unknown as Exchange['ticket'];
    const run = new Router(systemClock).route({} as RoutePlan, { pinned: null } as RouteContext);
    const call = new RoutedCall(exchange, {} as Reading, plane, run);
    plane.active.add(call);
    expect(plane.active.size).toBe(1);
    call.abort('draining');
    expect(plane.active.size).toBe(0);
    expect(booked).toEqual([{ cost: null, seen: 0 }]);
    expect(errors).toContainEqual(new Error('broken'));
  });
});
