import { golden, translation } from '#test/fakes/golden-translations.js';
import { withoutForeignReasoning } from './foreign-reasoning.js';
import { SIGNATURE_MARK } from './signatures.js';

type Json = Record<string, unknown>;
const messages = { dialect: 'anthropic', operation: 'messages' } as const;
const responses = { dialect: 'openai', operation: 'responses' } as const;
const generate = { dialect: 'gemini', operation: 'generate' } as const;

/** What a caller got from a provider of another dialect, and sends to its own dialect's provider next. */
function answered(
  caller: 'anthropic/messages' | 'openai/responses' | 'gemini/generate',
  provider: 'openai/chat' | 'gemini/generate' | 'anthropic/messages',
  name: RegExp,
): Json {
  const one = golden(provider, 'answers').find((each) => name.test(each.name))!;
  return JSON.parse(
    translation(caller, provider)
      .answer(Buffer.from(JSON.stringify(one.in)))
      .toString(),
  ) as Json;
}
const stripped = (surface: Parameters<typeof withoutForeignReasoning>[0], body: Json): Json =>
  JSON.parse(withoutForeignReasoning(surface, Buffer.from(JSON.stringify(body))).body.toString()) as Json;

describe('LLM-7: a conversation that changes its model reaches its own dialect without foreign reasoning', () => {
  it.each([
    ['openai/chat', /shows it/, ['tool_use']],
    ['gemini/generate', /parallel calls/, ['text', 'tool_use', 'tool_use']],
  ] as const)('Anthropic, after %s', (provider, name, types) => {
    const { content } = answered('anthropic/messages', provider, name);
    const body = stripped(messages, { model: 'claude', messages: [{ role: 'assistant', content }], unknown: 1 });
    expect((body.messages as { content: Json[] }[])[0]!.content.map((block) => block.type)).toEqual(types);
    expect(body.unknown).toBe(1);
  });

  it("keeps Anthropic's own thinking", () => {
    const own = { type: 'thinking', thinking: 'x', signature: 'EqQB' };
    const foreign = answered('anthropic/messages', 'openai/chat', /shows it/).content as Json[];
    const body = stripped(messages, {
      messages: [
        { role: 'assistant', content: [own, ...foreign] },
        { role: 'user', content: 'hi' },
      ],
    });
    expect((body.messages as { content: Json[] }[])[0]!.content[0]).toEqual(own);
  });

  it('Responses', () => {
    const { output } = answered('openai/responses', 'anthropic/messages', /signed thinking/);
    const body = stripped(responses, { input: [{ role: 'user', content: 'hi' }, ...(output as Json[])] });
    expect((body.input as Json[]).map((item) => item.type)).toEqual([
      undefined,
      'message',
      'function_call',
      'function_call',
    ]);
  });

  it('Gemini', () => {
    const { candidates } = answered('gemini/generate', 'anthropic/messages', /signed thinking/);
    const body = stripped(generate, { contents: [(candidates as { content: Json }[])[0]!.content] });
    expect(JSON.stringify(body)).not.toContain('thoughtSignature');
    expect((body.contents as { parts: Json[] }[])[0]!.parts).toHaveLength(4);
  });

  it('a body without a mark is the same Buffer', () => {
    const body = Buffer.from('{"messages":[{"role":"assistant","content":[{"type":"thinking","signature":"EqQB"}]}]}');
    expect(withoutForeignReasoning(messages, body)).toEqual({ body, dropped: [] });
    expect(withoutForeignReasoning(messages, body).body).toBe(body);
  });

  const mark = `${SIGNATURE_MARK}b3BlbmFpOng=`;
  const foreign = `{"type": "thinking", "thinking":"t", "signature":"${mark}"}`;
  const hidden = `{"type":"redacted_thinking","data":"${mark}"}`;
  const own = '{"type":"text","text":"é\\u00e9", "id":12345678901234567890}';
  it.each([
    [messages, 'messages', 'content', `${foreign}, ${own}`, own],
    [messages, 'messages', 'content', `${own} , ${foreign},${hidden}`, own],
    [messages, 'messages', 'content', `${foreign},${own}, ${hidden} ,${own}`, `${own} ,${own}`],
    [messages, 'messages', 'content', `${foreign}, ${hidden}`, '{"type":"text","text":"(reasoning)"}'],
    [generate, 'contents', 'parts', `{"text":"a","thoughtSignature":"${mark}", "n":1.0}`, '{"text":"a","n":1.0}'],
    [generate, 'contents', 'parts', `{"thoughtSignature" :"${mark}"},{"text":""}`, '{},{"text":""}'],
  ] as const)(
    'every other byte stays, and what is left out is named: %j %s %s',
    (surface, list, inner, given, left) => {
      const bodyOf = (elements: string): string =>
        `{"n":9007199254740993.10, "${list}":[{"role":"user","${inner}":[${elements}]} ,{"role":"x"}],"z":1e2}`;
      const { body, dropped } = withoutForeignReasoning(surface, Buffer.from(bodyOf(given)));
      expect(body.toString()).toBe(bodyOf(left));
      expect(dropped).toHaveLength(1);
    },
  );

  it('every other byte of a Responses body stays', () => {
    const given = `{"input":[{"type":"reasoning","encrypted_content":"${mark}"}, {"n":1.0} ],"big":12345678901234567890}`;
    expect(withoutForeignReasoning(responses, Buffer.from(given))).toEqual({
      body: Buffer.from('{"input":[{"n":1.0} ],"big":12345678901234567890}'),
      dropped: ['input[].encrypted_content'],
    });
  });

  it('a text that only speaks of the mark changes nothing', () => {
    const body = Buffer.from(`{"messages":[{"role":"user","content":"${mark}"}]}`);
    expect(withoutForeignReasoning(messages, body)).toEqual({ body, dropped: [] });
  });
});
