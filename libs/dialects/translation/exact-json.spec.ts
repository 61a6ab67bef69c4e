import { SURFACES, translation, type SurfaceName } from '#test/fakes/golden-translations.js';
import { parseExactly } from './exact-json.js';

const LONG = '12345678901234567890';
const INT64 = '9223372036854775807';
const ARGS = `{"id":${LONG},"n":-${INT64},"f":1.5}`;
const TEXT = JSON.stringify(ARGS);

const OPENAI = { id: 'c1', type: 'function', function: { name: 'f', arguments: ARGS } };
const CONVERSATIONS: Readonly<Record<SurfaceName, string>> = {
  'openai/chat': JSON.stringify({
    model: 'm',
    messages: [
      { role: 'user', content: 'hi' },
      { role: 'assistant', tool_calls: [OPENAI] },
      { role: 'tool', tool_call_id: 'c1', content: ARGS },
    ],
  }),
  'openai/responses': JSON.stringify({
    model: 'm',
    input: [
      { role: 'user', content: 'hi' },
      { type: 'function_call', call_id: 'c1', name: 'f', arguments: ARGS },
      { type: 'function_call_output', call_id: 'c1', output: ARGS },
    ],
  }),
  'anthropic/messages': `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"f","input":${ARGS}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":${TEXT}}]}]}`,
  'gemini/generate': `{"contents":[{"parts":[{"text":"hi"}]},{"role":"model","parts":[{"functionCall":{"id":"c1","name":"f","args":${ARGS}}}]},{"parts":[{"functionResponse":{"id":"c1","name":"f","response":${ARGS}}}]}]}`,
};
const CALLS: Readonly<Record<SurfaceName, string>> = {
  'openai/chat': JSON.stringify({
    choices: [{ index: 0, message: { role: 'assistant', tool_calls: [OPENAI] }, finish_reason: 'tool_calls' }],
  }),
  'openai/responses': JSON.stringify({
    status: 'completed',
    output: [{ type: 'function_call', call_id: 'c1', name: 'f', arguments: ARGS }],
  }),
  'anthropic/messages': `{"content":[{"type":"tool_use","id":"c1","name":"f","input":${ARGS}}],"stop_reason":"tool_use"}`,
  'gemini/generate': `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":${ARGS}}}]},"finishReason":"STOP"}]}`,
};
const pairs = SURFACES.flatMap((from) => SURFACES.filter((to) => to !== from).map((to) => [from, to] as const));
/** How often the arguments stand in `bytes`, as an object or inside a string. */
const timesIn = (bytes: Buffer): number => bytes.toString().replaceAll('\\"', '"').split(ARGS).length - 1;

describe('LLM-7: numbers beyond 2^53 are translated digit by digit', () => {
  it.each(pairs)('a call and its result: %s → %s', (from, to) => {
    expect(timesIn(translation(from, to, { body: CONVERSATIONS[from] }).body)).toBe(2);
  });

  it.each(pairs)('a call in the answer of %s for %s', (provider, caller) => {
    expect(timesIn(translation(caller, provider).answer(Buffer.from(CALLS[provider])))).toBe(1);
  });

  it.each([
    ['gemini/generate', `data: ${CALLS['gemini/generate']}\n\n`],
    [
      'anthropic/messages',
      `data: {"type":"content_block_start","content_block":{"type":"tool_use","id":"c","name":"f","input":${ARGS}}}\n\ndata: {"type":"content_block_stop"}\n\n`,
    ],
  ] as const)('a whole call in a stream of %s', (provider, sent) => {
    for (const caller of SURFACES.filter((one) => one !== provider))
      expect(timesIn(translation(caller, provider).stream().push(Buffer.from(sent))!)).toBeGreaterThan(0);
  });

  it('the seed and the limits of a schema', () => {
    const schema = `{"type":"object","properties":{"a":{"type":"integer","maximum":${INT64}}}}`;
    const body = `{"model":"m","seed":${INT64},"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f","parameters":${schema}}}]}`;
    const written = translation('openai/chat', 'gemini/generate', { body }).body.toString();
    expect(written).toContain(`"seed":${INT64}`);
    expect(written).toContain(schema);
  });

  it('a long number is no object, and where a number is understood it is one', () => {
    const body = (more: string): string => `{"model":"m","messages":[{"role":"user","content":"hi"}],${more}}`;
    for (const more of [`"temperature":${LONG}`, `"max_tokens":${LONG}`, `"stream_options":${LONG}`])
      expect(() => translation('openai/chat', 'anthropic/messages', { body: body(more) })).toThrow(more.slice(1, 8));
  });

  it('other numbers stay numbers, also beside long ones and long digits in texts', () => {
    expect(parseExactly('{"a":[1,2.5,1e3],"b":" 1234567890123456"}')).toEqual({
      a: [1, 2.5, 1000],
      b: ' 1234567890123456',
    });
    expect(JSON.stringify(parseExactly(`[ -${LONG}, 9007199254740991,0.1]`))).toBe(`[-${LONG},9007199254740991,0.1]`);
  });
});
