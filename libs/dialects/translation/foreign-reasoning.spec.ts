import { golden, translation } from '#test/fakes/golden-translations.js';
import { withoutForeignReasoning } from './foreign-reasoning.js';

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
  JSON.parse(withoutForeignReasoning(surface, Buffer.from(JSON.stringify(body))).toString()) as Json;

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
    expect(withoutForeignReasoning(messages, body)).toBe(body);
  });
});
