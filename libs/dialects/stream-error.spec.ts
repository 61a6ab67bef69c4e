import { errorIn } from './stream-error.js';

const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const named = (value: { readonly type: string }): string => `event: ${value.type}\n${data(value)}`;
const chunk = (delta: object, more: object = {}): string =>
  data({ id: 'c', choices: [{ index: 0, delta, finish_reason: null, ...more }] });

describe('errorIn', () => {
  it.each([
    ['OpenAI', data({ error: { message: 'm', type: 'server_error' } })],
    ['Anthropic', named({ type: 'error' })],
    ['Responses', named({ type: 'response.failed' })],
    ['Gemini', 'data: {"error":{"code":503,"status":"UNAVAILABLE"}}\r\n\r\n'],
  ])('RTE-2: finds the error event of %s behind what opened the stream', (_dialect, event) => {
    const found = errorIn(Buffer.from(chunk({ role: 'assistant' }) + event));
    expect(found).not.toBeNull();
    expect(() => JSON.parse(found?.toString() ?? '') as unknown).not.toThrow();
  });

  it('RTE-2: text that speaks of errors is none', () => {
    expect(errorIn(Buffer.from(chunk({ content: '"error": {' })))).toBeNull();
    expect(errorIn(Buffer.from(named({ type: 'response.created' })))).toBeNull();
  });

  const schema = { type: 'object', properties: { error: { type: 'string' }, type: { const: 'error' } } };
  const call = { name: 'report', args: { error: { code: 1 }, type: 'error', kind: { type: 'response.failed' } } };
  const started = {
    status: 'in_progress',
    error: null,
    tools: [{ type: 'function', parameters: schema }],
    text: schema,
  };
  it.each([
    ['a tool schema that a response echoes', named({ type: 'response.created', ...{ response: started } })],
    [
      'arguments of a function call of Gemini',
      data({ candidates: [{ content: { parts: [{ functionCall: call }] } }] }),
    ],
    ['a server tool of Anthropic', named({ type: 'content_block_start', ...{ content_block: { input: call.args } } })],
    ['an error that is none', data({ choices: [], error: null })],
  ])('RTE-2: %s fails no target', (_what, event) => {
    expect(errorIn(Buffer.from(event))).toBeNull();
  });

  it.each([
    ['a text', data({ error: 'out of memory' })],
    ['beside an empty choice', data({ error: { code: 502 }, choices: [{ delta: {}, finish_reason: 'error' }] })],
    ['by its name alone', 'event: error\ndata: overloaded\n\n'],
  ])('RTE-2: an error %s is one', (_what, event) => {
    expect(errorIn(Buffer.from(event))).not.toBeNull();
  });
});
