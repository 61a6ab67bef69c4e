import { setImmediate as turn } from 'node:timers/promises';
import { jest } from '@jest/globals';
import type { LimitTicket } from '#libs/keys-budgets/index.js';
import { Dice } from '#test/fakes/dice.js';
import { Routed, ticketOf, type SentCall } from '#test/fakes/routed-call.js';

const CALLS = 400;
const MOST_STEPS = 60;
const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const chunk = (delta: object, more: object = {}): string =>
  data({ choices: [{ index: 0, delta, finish_reason: null }], ...more });
/** The most that a frame reports, at one nano-dollar a token. */
const SEEN_NANOS = 15;
const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
const claude = (event: { readonly type: string }): string => `event: ${event.type}\n${data(event)}`;
const refusal = { error: { message: 'no', type: 'server_error' } };

/** What an upstream may send next; each as the dialect it does not have too. */
const FRAMES = [
  chunk({ role: 'assistant', content: '' }),
  chunk({ content: 'text' }),
  chunk({ content: 'x'.repeat(400) }),
  data({ choices: [], usage }),
  data({ error: { message: 'broke' } }),
  'data: [DONE]\n\n',
  'data: {"choi',
  claude({ type: 'message_start', ...{ message: { usage: { input_tokens: 4, output_tokens: 1 } } } }),
  claude({ type: 'content_block_start', ...{ index: 0, content_block: { type: 'text', text: '' } } }),
  claude({ type: 'content_block_delta', ...{ index: 0, delta: { type: 'text_delta', text: 'text' } } }),
  claude({ type: 'error', ...{ error: { type: 'overloaded_error', message: 'broke' } } }),
  claude({ type: 'message_stop' }),
];

/** One thing an upstream does. */
function act(call: SentCall, dice: Dice): void {
  if (call.isOver) return;
  if (!call.hasBegun) {
    const type = dice.pick(['text/event-stream', 'text/event-stream', 'application/json', 'text/html']);
    const status = dice.pick([200, 200, 200, 200, 429, 500, 503, 404, 400]);
    if (dice.chance(0.15)) return call.cut();
    call.head(status, { 'content-type': type, ...(dice.chance(0.05) ? { 'x-odd': 'a\nb' } : {}) });
    return;
  }
  switch (dice.pick(['frame', 'frame', 'frame', 'json', 'large', 'end', 'cut'])) {
    case 'frame':
      return void call.text(dice.pick(FRAMES));
    case 'json':
      return void call.text(
        JSON.stringify(dice.pick([refusal, { usage }, { choices: [{ message: { content: 'a' } }], usage }])),
      );
    case 'large':
      return void (dice.chance(0.1) && call.text(`{"choices":["${'y'.repeat(1_100_000)}`));
    case 'end':
      return call.end();
    default:
      return call.cut();
  }
}

/** A request through a chain where anything may happen in any order. */
async function live(seed: number): Promise<Routed> {
  const dice = new Dice(seed);
  const waiting: (() => void)[] = [];
  const answerLater = <T>(value: () => T): Promise<T> =>
    new Promise((resolve, reject) =>
      waiting.push(() => (dice.chance(0.1) ? reject(new Error('store')) : resolve(value()))),
    );
  const names = ['a/x', 'b/x', 'c/x', 'claude/x'];
  const targets = () => [{ model: dice.pick(names) }];
  const steps = Array.from({ length: 1 + dice.upTo(2) }, () => ({ targets: targets() }));
  const call = new Routed({
    chain: { steps, retry: { after_content: dice.pick(['give', 'next'] as const), base_ms: 5 } },
    model: dice.chance(0.2) ? dice.pick(names) : 'chain',
    body: dice.chance(0.7) ? { stream: true } : {},
    ...(dice.chance(0.5) ? { bounds: { 'a/x': 300, 'b/x': 1000, 'c/x': 20, 'claude/x': 500 } } : {}),
    limited: dice.chance(0.4) ? [dice.pick(names)] : [],
    unfit: dice.chance(0.2) ? [dice.pick(['a', 'b', 'c', 'claude'])] : [],
    bill: () => (dice.chance(0.5) ? dice.chance(0.8) : answerLater(() => dice.chance(0.8))),
    admitLimit: () => (dice.chance(0.5) ? ticketOf() : answerLater<LimitTicket>(() => ticketOf())),
  });
  call.extend = async () => dice.chance(0.5);
  for (let step = 0; step < MOST_STEPS && call.underWay.length > 0; step++) {
    const next = dice.pick(['upstream', 'upstream', 'upstream', 'upstream', 'store', 'time', 'late', 'leave', 'abort']);
    if (next === 'upstream' && call.sent.length > 0) act(call.call, dice);
    else if (next === 'store') waiting.shift()?.();
    else if (next === 'time') jest.advanceTimersByTime(dice.pick([10, 1000, 40_000]));
    else if (next === 'late' && call.sent.length > 1) act(dice.pick(call.sent), dice);
    else if (next === 'leave' && dice.chance(0.15)) call.leave();
    else if (next === 'abort' && dice.chance(0.15)) {
      call.underWay[0]?.abort(dice.pick(['draining', 'upstream_timeout', 'budget_exceeded', 'client_gone'] as const));
    }
    await turn();
  }
  call.underWay[0]?.abort('draining');
  for (let round = 0; round < 3; round++) {
    for (const answer of waiting.splice(0)) answer();
    await turn();
  }
  return call;
}

describe('a routed call, whatever happens in whatever order', () => {
  beforeEach(() => jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] }));
  afterEach(() => jest.useRealTimers());

  it('KEY-4, KEY-6, LLM-8, RTE-2: ends once, each attempt in one row, with its answer and nothing left behind', async () => {
    for (let seed = 1; seed <= CALLS; seed++) {
      const call = await live(seed * 7919);
      const { row, apart, rows, sent, exchange } = call;
      const found = {
        seed,
        underWay: call.underWay.length,
        inFlight: call.targets.map(({ state }) => state.inFlight),
        openTickets: call.tickets.filter(({ ends }) => ends.length === 0).length,
        timers: jest.getTimerCount(),
        // Only a request for which nobody was asked has no row.
        rowsOfTheRequest: rows.length - apart.length,
        rowsApartAtMost: apart.length <= sent.length,
        isAnswered: exchange.response.writableEnded || exchange.response.destroyed,
        upstreamsLeft: sent.filter((one) => !one.isOver).length,
      };
      expect(found).toEqual({
        seed,
        underWay: 0,
        inFlight: call.targets.map(() => 0),
        openTickets: 0,
        timers: 0,
        rowsOfTheRequest: row === undefined && sent.length === 0 ? 0 : 1,
        rowsApartAtMost: true,
        isAnswered: true,
        upstreamsLeft: 0,
      });
      expect({ seed, counted: call.counted }).toEqual({
        seed,
        counted: Math.max(sent.length, row === undefined ? 0 : 1),
      });
      for (const [index, one] of (exchange.run?.attempts ?? []).entries()) {
        const status = sent[index]?.status ?? 0;
        const isRefused = (status >= 400 && status < 500) || status === 529;
        const isCharged = one.usage !== null || !isRefused;
        const isLast = index === sent.length - 1;
        const inRows = apart.filter(({ attempts }) => attempts === one.number).length;
        const inRequest = isLast && (row?.costNanos !== 0 || row.usageSource !== 'none') ? 1 : 0;
        expect({ seed, attempt: one.number, inRows: inRows + inRequest }).toEqual({
          seed,
          attempt: one.number,
          inRows: isCharged ? 1 : 0,
        });
      }
      expect([seed, exchange.run?.attempts.length]).toEqual([seed, sent.length]);
      // Never above what is set aside for its target, and what was granted to it.
      for (const one of rows) {
        if (one.costNanos === null)
          expect(one.mostNanos).toBeLessThanOrEqual(Math.max(SEEN_NANOS, call.mostNanosAt(one.provider)));
      }
      // A stream that broke ends in an error, never as if it were whole.
      if (exchange.response.headersSent && row !== undefined && row.error !== null && row.error !== 'client_gone') {
        expect(exchange.response.destroyed || /error/.test(call.text)).toBe(true);
      }
    }
  }, 60_000);
});
