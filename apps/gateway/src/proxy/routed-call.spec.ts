import { setImmediate as turn } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { ESTIMATED_TOKENS, Routed, ticketOf, type RoutedOptions } from '#test/fakes/routed-call.js';
import type { LimitTicket } from '#libs/keys-budgets/index.js';

const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const chunk = (content: string): string => data({ choices: [{ index: 0, delta: { content }, finish_reason: null }] });
const ERROR_EVENT = data({ error: { message: 'broke', type: 'server_error' } });
const FINISH = data({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }) + 'data: [DONE]\n\n';
const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
const says = (content: string) => ({ choices: [{ index: 0, message: { role: 'assistant', content } }], usage });
const refusal = { error: { message: 'no', type: 'server_error' } };

/** First `a`, then `b`; a failure of any class goes to the next at once. */
const NEXT = { server_error: 'next', rate_limit: 'next', cut: 'next', connect: 'next', first_byte_timeout: 'next' };
const aThenB = (first = 'a/x', second = 'b/x', more: object = {}) => ({
  steps: [{ targets: [{ model: first }] }, { targets: [{ model: second }] }],
  errors: NEXT,
  ...more,
});
const goingOn = (first?: string, second?: string) => aThenB(first, second, { retry: { after_content: 'next' } });
const streamed = { stream: true } as const;
const routed = (options: RoutedOptions = {}): Routed => new Routed({ chain: aThenB(), ...options });

/** Every call: one row of the request, nothing left behind. */
function expectOver(call: Routed): void {
  expect(call.rows.filter(({ isApart }) => !isApart)).toHaveLength(1);
  expect(call.underWay).toEqual([]);
  for (const { state } of call.targets) expect(state.inFlight).toBe(0);
}

/** A promise for the test to settle. */
function later<T>(): { readonly promise: Promise<T>; done(value: T): void; fail(error: Error): void } {
  let [done, fail]: [(value: T) => void, (error: Error) => void] = [() => {}, () => {}];
  const promise = new Promise<T>((resolve, reject) => ([done, fail] = [resolve, reject]));
  return { promise, done, fail };
}

afterEach(() => {
  jest.useRealTimers();
});

describe('the end of a routed call', () => {
  it('KEY-6: an answer that cannot be written ends the call all the same, in one row at its price', () => {
    const call = routed();
    call.call.json(200, says('hi'), { 'x-odd': 'a\nb' });
    expectOver(call);
    expect(call.row).toMatchObject({ costNanos: 15, error: 'internal' });
    expect(call.response.destroyed || call.response.writableEnded).toBe(true);
    expect(call.errors).toHaveLength(1);
  });

  it('KEY-6: a failure that cannot be told ends the call all the same', () => {
    const call = routed({ model: 'a/x' });
    call.call.json(400, refusal, { 'x-odd': 'a\nb' });
    expectOver(call);
    expect(call.row).toMatchObject({ costNanos: 0, error: 'internal' });
  });

  it('KEY-6: what is reported after the end changes nothing', () => {
    const call = routed({ model: 'a/x' });
    call.call.json(200, says('hi'));
    call.call.cut();
    call.leave();
    expectOver(call);
    expect(call.row).toMatchObject({ costNanos: 15, error: null });
  });

  it('OPS-3: the time a call may take is known before its first attempt is made', async () => {
    const room = later<LimitTicket>();
    const call = routed({ limited: ['a/x'], admitLimit: () => room.promise });
    await turn();
    expect(call.underWay[0]?.deadlineMs).toBeGreaterThan(performance.now());
    room.done(ticketOf());
    await turn();
    call.call.json(200, says('hi'));
    expect(call.row).toMatchObject({ error: null });
  });
});

describe('reports of attempts', () => {
  it('RTE-2: the time of an attempt that could not be made does not end the one that follows', () => {
    jest.useFakeTimers();
    const steps = [{ targets: [{ model: 'a/x', timeout_ms: 100 }] }, { targets: [{ model: 'b/x' }] }];
    const call = routed({ chain: { steps }, unfit: ['a'] });
    expect(call.sent.map(({ provider }) => provider)).toEqual(['b']);
    jest.advanceTimersByTime(5000);
    expect([call.sent.length, call.rows]).toEqual([1, []]);
    call.call.json(200, says('from b'));
    expect(call.text).toContain('from b');
    expectOver(call);
  });

  it('RTE-3: a target that cannot be asked leaves the answer, headers and row of the one before it as they were', () => {
    const call = routed({ chain: aThenB('claude/x', 'b/x'), unfit: ['b'] });
    call.call.json(429, { type: 'error', error: { type: 'rate_limit_error', message: 'slow down' } });
    expectOver(call);
    expect(call.text).toContain('HTTP/1.1 429');
    expect(call.text).toContain('x-smartflow-provider: claude');
    expect(call.row).toMatchObject({ provider: 'claude', dialect: 'anthropic', costNanos: 0 });
  });

  it('RTE-4: a request for which nobody was asked names no provider', () => {
    const call = routed({ chain: { steps: [{ targets: [{ model: 'b/x' }] }] }, unfit: ['b'] });
    expect(call.rows).toEqual([]);
    expect(call.underWay).toEqual([]);
    expect(call.text).not.toContain('x-smartflow-provider');
  });

  it.each(['draining', 'client_gone'] as const)(
    'RTE-1: a call that ends (%s) while a target is asked for room leaves nothing behind',
    async (reason) => {
      const room = later<LimitTicket>();
      const call = routed({ limited: ['b/x'], admitLimit: () => room.promise });
      call.call.json(429, refusal);
      await turn();
      expect(call.targets.map(({ state }) => state.inFlight)).toEqual([0, 1]);
      call.underWay[0]?.abort(reason);
      expectOver(call);
      expect(call.text.includes('HTTP/1.1 429')).toBe(reason === 'draining');
      const ticket = ticketOf();
      room.done(ticket);
      await turn();
      expect(ticket.ends).toEqual(['cancelled']);
      expect(call.sent).toHaveLength(1);
    },
  );
});

describe('tokens and metrics of failed attempts', () => {
  it('KEY-3: where nobody knows what a failed attempt used, the estimate counts at its target and for the request', async () => {
    const call = routed({ limited: ['a/x'] });
    const ticket = ticketOf();
    call.exchange.ticket = ticket;
    await turn();
    call.call.json(500, refusal);
    await turn();
    expect(call.tickets[0]?.used).toEqual([null]);
    call.call.json(200, says('from b'));
    expect(ticket.used).toEqual([ESTIMATED_TOKENS + 15]);
    expect(call.counted).toBe(2);
  });

  it('OPS-1: an attempt that was billed when nobody else could be asked stands in the metrics once', async () => {
    const call = routed({ chain: aThenB('a/x', 'b/x'), unfit: ['b'] });
    call.call.json(500, refusal);
    await turn();
    expectOver(call);
    expect(call.counted).toBe(1);
  });
});

describe('KEY-4, KEY-6: money of failed attempts', () => {
  const bounds = { 'a/x': 300, 'b/x': 1000 };

  it.each(['client_gone', 'draining'] as const)(
    'one that is being booked is charged once when the call ends (%s)',
    async (reason) => {
      const bill = later<boolean>();
      const call = routed({ bounds, bill: () => bill.promise });
      call.call.json(500, refusal);
      call.underWay[0]?.abort(reason);
      expect(call.rows).toEqual([]);
      bill.done(true);
      await turn();
      expectOver(call);
      expect(call.apart).toMatchObject([{ provider: 'a', costNanos: null, mostNanos: 300 }]);
      expect(call.row).toMatchObject({ costNanos: 0 });
      expect(call.text.includes('HTTP/1.1 500')).toBe(reason === 'draining');
      expect(call.sent).toHaveLength(1);
    },
  );

  it.each([
    ['is refused', (bill: ReturnType<typeof later<boolean>>) => bill.done(false)],
    ['breaks', (bill: ReturnType<typeof later<boolean>>) => bill.fail(new Error('disk'))],
  ])('one whose booking %s after the caller has left is charged on the row of the request', async (_how, end) => {
    const bill = later<boolean>();
    const call = routed({ bounds, bill: () => bill.promise });
    call.call.json(500, refusal);
    call.leave();
    end(bill);
    await turn();
    expectOver(call);
    expect(call.apart).toEqual([]);
    expect(call.row).toMatchObject({ error: 'client_gone', status: 499, costNanos: null, mostNanos: 300 });
  });

  it('an unknown one is charged at the bound of its own target, apart or on the row of the request', async () => {
    const call = routed({ bounds });
    call.call.json(500, refusal);
    await turn();
    call.call.json(500, refusal);
    expect(call.apart).toMatchObject([{ provider: 'a', costNanos: null, mostNanos: 300 }]);
    expect(call.row).toMatchObject({ provider: 'b', costNanos: null, mostNanos: 1000 });
    const last = routed({ bounds, chain: aThenB('b/x', 'a/x') });
    last.call.json(500, refusal);
    await turn();
    last.call.json(500, refusal);
    expect(last.apart).toMatchObject([{ provider: 'b', mostNanos: 1000 }]);
    expect(last.row).toMatchObject({ provider: 'a', costNanos: null, mostNanos: 300 });
  });

  it('a stream that outgrew its bound is charged with what was granted, and never above what is set aside', async () => {
    const call = routed({ bounds, chain: goingOn(), body: streamed });
    call.extend = jest.fn(async () => false).mockResolvedValueOnce(true);
    call.call.stream(chunk('a'.repeat(400)));
    await turn();
    call.call.cut();
    await turn();
    expect(call.apart).toMatchObject([{ provider: 'a', costNanos: null, mostNanos: 600 }]);
    call.underWay[0]?.abort('draining');
    expect(call.row).toMatchObject({ provider: 'b', costNanos: null, mostNanos: 1000 });
  });

  const untranslatable = { type: 'message', role: 'assistant', usage: { input_tokens: 7, output_tokens: 3 } };

  it('a whole answer that cannot be translated is charged at the usage it reports, in a chain', async () => {
    const call = routed({ chain: aThenB('claude/x', 'b/x'), bounds: { 'claude/x': 400, 'b/x': 1000 } });
    call.call.json(200, untranslatable);
    await turn();
    expect(call.apart).toMatchObject([{ provider: 'claude', costNanos: 10, usageSource: 'measured' }]);
    call.call.json(200, says('hi'));
    expect(call.row).toMatchObject({ provider: 'b', costNanos: 15 });
    expectOver(call);
  });

  it('and by a model alone', () => {
    const call = routed({ model: 'claude/x', bounds: { 'claude/x': 400 } });
    call.call.json(200, untranslatable);
    expectOver(call);
    expect(call.row).toMatchObject({ costNanos: 10, error: 'upstream_invalid' });
  });
});

describe('RTE-2: a failure behind content', () => {
  it.each([
    ['a refusal', (call: Routed) => call.call.json(429, refusal), 'upstream_failed'],
    ['a JSON answer', (call: Routed) => call.call.json(200, says('whole')), 'upstream_invalid'],
    ['an error event', (call: Routed) => call.call.stream(ERROR_EVENT), 'upstream_failed'],
    ['a lost connection', (call: Routed) => call.call.cut(), 'upstream_unreachable'],
  ])(
    'LLM-8: a stream that another target does not go on with, but answers with %s, ends in an error',
    async (_what, answer, error) => {
      const call = routed({ chain: goingOn(), body: streamed });
      call.call.stream(chunk('half')).cut();
      await turn();
      expect(call.sent).toHaveLength(2);
      answer(call);
      await turn();
      expectOver(call);
      expect(call.row).toMatchObject({ error, provider: 'b' });
      expect(call.text).toMatch(/half[^]*data: \{"error":/);
      expect(call.text).not.toContain('whole');
      expect(call.response.writableEnded).toBe(true);
    },
  );

  it.each([
    ['of the same dialect', 'a/x', [chunk('half ')], ERROR_EVENT],
    [
      'that is translated',
      'claude/x',
      [
        { type: 'message_start', message: { usage: { input_tokens: 1, output_tokens: 1 } } },
        { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
        { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'half ' } },
      ].map((event) => `event: ${event.type}\n${data(event)}`),
      `event: error\n${data({ type: 'error', error: { type: 'overloaded_error', message: 'broke' } })}`,
    ],
  ])(
    'RTE-3: an error event in a stream %s is kept back until nobody goes on',
    async (_what, first, frames, failure) => {
      const call = routed({ chain: goingOn(first), body: streamed });
      call.call.stream(...frames).text(failure);
      await turn();
      call.call.stream(chunk('and all'), FINISH).end();
      expect(call.text).toMatch(/half [^]*and all/);
      expect(call.text).not.toContain('error');
      expect(call.row).toMatchObject({ provider: 'b', error: null });
      expectOver(call);

      const given = routed({ chain: aThenB(first), body: streamed });
      given.call.stream(...frames).text(failure);
      given.call.end();
      expect(given.sent).toHaveLength(1);
      expect(given.text).toMatch(/half [^]*broke/);
      expect(given.row).toMatchObject({ error: 'upstream_failed' });
      expectOver(given);
    },
  );

  it('RTE-3: half a JSON answer is followed by nothing', async () => {
    const call = routed({ chain: goingOn() });
    call.call.head(200, { 'content-type': 'application/json' }).text(`{"choices":[{"x":"${'y'.repeat(1_100_000)}`);
    expect(call.response.headersSent).toBe(true);
    call.call.cut();
    await turn();
    expect(call.sent).toHaveLength(1);
    expect(call.response.destroyed).toBe(true);
    expect(call.row).toMatchObject({ error: 'upstream_cut' });
    expectOver(call);
  });

  it('RTE-3: half a JSON array of Gemini is followed by nothing', async () => {
    const chain = goingOn('google/x', 'google2/x');
    const url = '/v1beta/models/chain:streamGenerateContent';
    const call = routed({ chain, route: '/v1beta/models/*', url, body: { contents: [] } });
    const part = { candidates: [{ content: { parts: [{ text: 'half' }] } }] };
    call.call.head(200, { 'content-type': 'application/json' }).text(`[${JSON.stringify(part)}`);
    call.call.cut();
    await turn();
    expect(call.sent).toHaveLength(1);
    expect(call.row).toMatchObject({ error: 'upstream_cut' });
    expectOver(call);
  });

  it.each([
    [
      'prompt',
      { type: 'invalid_request_error', message: 'prompt is too long: 2 tokens > 1 maximum' },
      'context_length',
    ],
    ['file', { type: 'not_found_error', message: 'File not found: file_1' }, 'invalid_request'],
    ['load', { type: 'overloaded_error', message: 'Overloaded' }, 'overloaded'],
  ])(
    'RTE-3: an error event behind content is judged by what it says (%s), and so is its target',
    (_what, error, name) => {
      const opening = { type: 'message_start', message: { usage: { input_tokens: 1, output_tokens: 1 } } };
      const start = { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } };
      const delta = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'half ' } };
      const failure = { type: 'error', error };
      const call = routed({ chain: aThenB('claude/x'), body: streamed });
      call.call
        .stream(...[opening, start, delta].map((event) => `event: ${event.type}\n${data(event)}`))
        .text(`event: error\n${data(failure)}`);
      call.call.end();
      expect(call.exchange.run?.attempts.map((one) => one.failure?.class)).toEqual([name]);
      expect(call.targets[0]?.state.recent(performance.now()).errorRate).toBe(name === 'overloaded' ? 0.5 : 0);
      expect(call.text).toMatch(/half [^]*error/);
      expectOver(call);
    },
  );

  it('RTE-2: a stream whose opening echoes a tool with an "error" is served by its target', () => {
    const tools = [{ type: 'function', name: 'f', parameters: { properties: { error: { type: 'string' } } } }];
    const call = routed({ route: '/v1/responses', body: { ...streamed, input: 'hi' } });
    const created = { type: 'response.created', response: { id: 'resp_1', tools } };
    call.call.stream(
      `event: response.created\n${data(created)}`,
      data({ type: 'response.output_text.delta', delta: 'hi' }),
    );
    call.call
      .text(data({ type: 'response.completed', response: { usage: { input_tokens: 1, output_tokens: 1 } } }))
      .end();
    expect(call.sent).toHaveLength(1);
    expect(call.row).toMatchObject({ provider: 'a', error: null });
    expectOver(call);
  });
});
