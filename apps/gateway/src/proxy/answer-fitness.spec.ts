import { setImmediate as turn } from 'node:timers/promises';
import { Routed, type RoutedOptions } from '#test/fakes/routed-call.js';

const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const chunk = (delta: object, reason: string | null = null): string =>
  data({ choices: [{ index: 0, delta, finish_reason: reason }] });
const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
const says = (content: string) => ({ choices: [{ index: 0, message: { role: 'assistant', content } }], usage });
const JSON_TYPE = { 'content-type': 'application/json' };
const message = {
  type: 'message',
  content: [{ type: 'text', text: 'hi' }],
  usage: { input_tokens: 1, output_tokens: 1 },
};
const generated = { candidates: [{ content: { parts: [{ text: 'hi' }] }, finishReason: 'STOP' }] };

const chainOf = (first: string, second: string, more: object = {}) => ({
  steps: [{ targets: [{ model: first }] }, { targets: [{ model: second }] }],
  retry: { attempts_per_target: 1 },
  ...more,
});
const routed = (options: RoutedOptions = {}): Routed => new Routed({ chain: chainOf('a/x', 'b/x'), ...options });
const SSE = '/v1beta/models/chain:streamGenerateContent?alt=sse';
const ARRAY = '/v1beta/models/chain:streamGenerateContent';
const gemini = (url: string): RoutedOptions => {
  const chain = chainOf('google/x', 'google2/x');
  return { chain, route: '/v1beta/models/*', url, body: { contents: [] } };
};

function expectInvalid(call: Routed): void {
  expect(call.response.statusCode).toBe(502);
  expect(call.row).toMatchObject({ error: 'upstream_invalid' });
}

type Lie = readonly [string, RoutedOptions, number, Readonly<Record<string, string>>, string];

const LIES: readonly Lie[] = [
  ['JSON for a stream', { body: { stream: true } }, 200, JSON_TYPE, JSON.stringify(says('whole'))],
  [
    'lines of JSON for a stream',
    { body: { stream: true } },
    200,
    { 'content-type': 'application/x-ndjson' },
    '{"a":1}\n',
  ],
  ['half a body', {}, 200, JSON_TYPE, '{"id":"c1","choices":['],
  ['null', {}, 200, JSON_TYPE, 'null'],
  ['a list', {}, 200, JSON_TYPE, '[]'],
  ['an empty object', {}, 200, JSON_TYPE, '{}'],
  ['something else', {}, 200, JSON_TYPE, '{"detail":"Internal"}'],
  ['nothing', {}, 204, {}, ''],
  ['a part', {}, 206, JSON_TYPE, '{}'],
  ['events for a whole answer', {}, 200, { 'content-type': 'text/event-stream' }, chunk({ content: 'a' }, 'stop')],
  ['a stream of its end', { body: { stream: true } }, 200, { 'content-type': 'text/event-stream' }, 'data: [DONE]\n\n'],
  ['a stream of junk', { body: { stream: true } }, 200, { 'content-type': 'text/event-stream' }, 'data: not json\n\n'],
  ['a page as a stream', { body: { stream: true } }, 200, { 'content-type': 'text/event-stream' }, '<html></html>'],
  [
    'a stream of its beginning',
    { body: { stream: true } },
    200,
    { 'content-type': 'text/event-stream' },
    `${chunk({ role: 'assistant', content: '' })}data: [DONE]\n\n`,
  ],
  ['an array for the events of Gemini', gemini(SSE), 200, JSON_TYPE, JSON.stringify([generated])],
  ['an empty array of Gemini', gemini(ARRAY), 200, JSON_TYPE, '[]'],
  ['an array of an error of Gemini', gemini(ARRAY), 200, JSON_TYPE, '[{"error":{"code":500,"status":"INTERNAL"}}]'],
];

describe('RTE-2: a good status does not make an answer', () => {
  it.each(LIES)('%s moves the call, and is the failure where nobody is left', async (_what, options, ...answer) => {
    const [status, headers, body] = answer;
    const call = routed(options);
    for (const at of [0, 1]) {
      expect([call.sent.length, call.text]).toEqual([at + 1, '']);
      call.call.head(status, headers).text(body).end();
      await turn();
    }
    expect(call.sent).toHaveLength(2);
    expect(call.response.statusCode).toBeGreaterThanOrEqual(502);
    expect(call.row?.error).not.toBeNull();
    for (const { failure } of call.exchange.run?.attempts ?? []) expect(failure).not.toBeNull();
  });
});

describe('RTE-2: the answer of a model without a chain', () => {
  const direct = (body: Readonly<Record<string, unknown>> = {}): Routed => routed({ model: 'a/x', body });

  it('that is JSON for a stream is told: its reader would see an empty stream', () => {
    const call = direct({ stream: true });
    call.call.json(200, says('whole'));
    expectInvalid(call);
  });

  it('that is a stream for JSON is told', () => {
    const call = direct();
    call.call.head(200, { 'content-type': 'text/event-stream' });
    expectInvalid(call);
  });

  it('that breaks off in the middle of its JSON is told, whatever else it is goes on as it came', () => {
    const half = direct();
    half.call.head(200, JSON_TYPE).text('{"id":"c1","choices":[').end();
    expectInvalid(half);
    const odd = direct();
    odd.call.json(200, { detail: 'fine' });
    expect(odd.text).toContain('{"detail":"fine"}');
    expect(odd.row).toMatchObject({ error: null });
  });
});

it('RTE-2: an error under 200 is told as one where nobody is left', async () => {
  const call = routed({ chain: { steps: [{ targets: [{ model: 'a/x' }] }], retry: { attempts_per_target: 1 } } });
  call.call.json(200, { error: { message: 'boom', type: 'server_error' } });
  await turn();
  expect(call.response.statusCode).toBe(502);
  expect(call.text).toContain('boom');
});

it('RTE-3: no target goes on behind an open call of a tool', async () => {
  const called = { index: 0, id: 't1', type: 'function', function: { name: 'delete_file', arguments: '' } };
  const chain = chainOf('a/x', 'b/x', { retry: { after_content: 'next', attempts_per_target: 1 } });
  const call = routed({ chain, body: { stream: true } });
  call.call.stream(chunk({ role: 'assistant', tool_calls: [called] })).cut();
  await turn();
  expect(call.sent).toHaveLength(1);
  expect(call.text).toContain('"error"');
  const text = routed({ chain, body: { stream: true } });
  text.call.stream(chunk({ role: 'assistant', content: 'I would say "tool_calls":[{', tool_calls: [] })).cut();
  await turn();
  expect(text.sent).toHaveLength(2);
});

it('RTE-2: healthy answers of each dialect pass in a chain', async () => {
  const anthropic = routed({ chain: chainOf('claude/x', 'a/x'), route: '/anthropic/v1/messages' });
  anthropic.call.json(200, message);
  const google = routed(gemini(ARRAY));
  google.call.json(200, [generated]);
  await turn();
  for (const call of [anthropic, google]) {
    expect(call.response.statusCode).toBe(200);
    expect(call.row).toMatchObject({ error: null });
  }
});
