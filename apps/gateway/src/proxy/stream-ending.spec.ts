import { setImmediate as turn } from 'node:timers/promises';
import { Routed, type RoutedOptions } from '#test/fakes/routed-call.js';

const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const chunk = (content: string): string => data({ choices: [{ index: 0, delta: { content }, finish_reason: null }] });
const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
const says = (content: string) => ({ choices: [{ index: 0, message: { role: 'assistant', content } }], usage });

/** First `a`, then `b`; a failure of any class goes to the next at once. */
const NEXT = { server_error: 'next', rate_limit: 'next', cut: 'next', connect: 'next', first_byte_timeout: 'next' };
const aThenB = (first = 'a/x', second = 'b/x', more: object = {}) => ({
  steps: [{ targets: [{ model: first }] }, { targets: [{ model: second }] }],
  errors: NEXT,
  ...more,
});
const streamed = { stream: true } as const;
const routed = (options: RoutedOptions = {}): Routed => new Routed({ chain: aThenB(), ...options });

/** Every call: one row of the request, nothing left behind. */
function expectOver(call: Routed): void {
  expect(call.rows.filter(({ isApart }) => !isApart)).toHaveLength(1);
  expect(call.underWay).toEqual([]);
  for (const { state } of call.targets) expect(state.inFlight).toBe(0);
}

describe('RTE-2: a stream of a model without a chain', () => {
  const response = (error: object): string =>
    `event: response.failed\n${data({ type: 'response.failed', response: { status: 'failed', error } })}`;
  const asked = { route: '/v1/responses', model: 'a/x', body: { ...streamed, input: 'hi' } } as const;

  it.each([
    ['context_length_exceeded', 'context_length', 0],
    ['server_error', 'server_error', 1],
  ])('that ends in an error (%s) is judged by what it says, once', (code, name, errorRate) => {
    const call = routed(asked);
    const [target] = call.targets;
    call.call.stream(data({ type: 'response.created', response: {} }), response({ code, message: 'no' })).end();
    expectOver(call);
    expect(call.row).toMatchObject({ error: 'upstream_failed' });
    expect(call.exchange.run?.attempts.map(({ failure }) => failure?.class)).toEqual([name]);
    expect(target?.state.recent(performance.now()).errorRate).toBe(errorRate);
    expect(target?.state.latencyMs).toBeNull();
  });

  it('tells its time to the first content when it has ended well', () => {
    const call = routed(asked);
    const done = { type: 'response.completed', response: { usage: { input_tokens: 1, output_tokens: 1 } } };
    call.call.stream(data({ type: 'response.output_text.delta', delta: 'hi' })).text(data(done));
    expect(call.targets[0]?.state.latencyMs).toBeNull();
    call.call.end();
    expect(call.targets[0]?.state.latencyMs).not.toBeNull();
    expectOver(call);
  });

  it('that names its error behind another member is none that was cut', () => {
    const call = routed({ model: 'a/x', body: streamed });
    call.call.stream(chunk('half'), data({ id: 'c', error: { type: 'server_error', message: 'broke' } })).end();
    expect(call.row).toMatchObject({ error: 'upstream_failed' });
    expect(call.text.match(/"error"/g)).toHaveLength(1);
  });
});

describe('KEY-6: usage of a translated stream that fails at its end', () => {
  const bounds = { 'a/x': 400 };
  const gemini = { contents: [{ role: 'user', parts: [{ text: 'hi' }] }], messages: undefined };
  const USED = data({ choices: [], usage }) + 'data: [DONE]\n\n';

  it('counts where the end is no proper one', () => {
    const call = routed({
      route: '/anthropic/v1/messages',
      model: 'a/x',
      body: { ...streamed, max_tokens: 9 },
      bounds,
    });
    call.call.stream(chunk('half'), USED).end();
    expectOver(call);
    expect(call.row).toMatchObject({ error: 'upstream_cut', costNanos: 15, usageSource: 'measured' });
  });

  it.each(['its end', 'a cut', 'the end of its time'])(
    'counts where the model wrote no arguments, read up to %s',
    (how) => {
      const called = { index: 0, id: 'c', type: 'function', function: { name: 'f', arguments: 'rm -rf' } };
      const url = '/v1beta/models/chain:streamGenerateContent?alt=sse';
      const chain = { steps: [{ targets: [{ model: 'a/x' }] }] };
      const call = routed({ chain, route: '/v1beta/models/*', url, body: gemini, bounds });
      call.call
        .stream(data({ choices: [{ index: 0, delta: { tool_calls: [called] }, finish_reason: null }] }))
        .text(data({ choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] }))
        .text(USED);
      expect(call.call.aborted).toBeNull();
      if (how === 'its end') call.call.end();
      else if (how === 'a cut') call.call.cut();
      else call.underWay[0]?.abort('upstream_timeout');
      expectOver(call);
      expect(call.exchange.run?.attempts.map(({ failure }) => failure?.class)).toEqual(['bad_output']);
      expect(call.row).toMatchObject({ error: 'upstream_bad_output' });
      if (how === 'its end') expect(call.row).toMatchObject({ costNanos: 15, usageSource: 'measured' });
      expect(call.text).toContain('not a JSON object');
    },
  );
});

it('RTE-3: an array of Gemini that begins with an error moves the call', async () => {
  const chain = aThenB('google/x', 'google2/x');
  const url = '/v1beta/models/chain:streamGenerateContent';
  const call = routed({ chain, route: '/v1beta/models/*', url, body: { contents: [] } });
  call.call.json(200, [{ error: { code: 500, message: 'broke', status: 'INTERNAL' } }]);
  await turn();
  const text = { candidates: [{ content: { parts: [{ text: 'hi' }] }, finishReason: 'STOP' }] };
  call.call.json(200, [text]);
  expect(call.sent.map(({ provider }) => provider)).toEqual(['google', 'google2']);
  expect(call.text).toContain('hi');
  expect(call.text).not.toContain('broke');
  expectOver(call);
});

it('RTE-3: a target whose call cannot be signed once the token is there is passed over, without blame', async () => {
  const call = routed({ unsigned: ['a'] });
  await turn();
  expect(call.sent.map(({ provider }) => provider)).toEqual(['b']);
  expect(call.targets[0]?.state.recent(performance.now()).errorRate).toBe(0);
  call.call.json(200, says('hi'));
  expect(call.row).toMatchObject({ provider: 'b', error: null });
  expectOver(call);
});
