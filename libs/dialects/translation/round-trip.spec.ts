import { golden, SURFACES, translation, type SurfaceName } from '#test/fakes/golden-translations.js';
import { translatorFor } from './translator.js';

type Json = Record<string, unknown>;

/** The second turn of a tool loop, as a program of each surface builds it: the answer as it came, and the results. */
const nextTurn: Record<SurfaceName, (answer: Json) => Json> = {
  'openai/chat': (answer) => {
    const message = (answer.choices as { message: Json }[])[0]!.message;
    const calls = (message.tool_calls ?? []) as Json[];
    return {
      model: 'm',
      tools: [{ type: 'function', function: { name: 'get_weather' } }],
      messages: [
        { role: 'user', content: 'hi' },
        message,
        ...calls.map((call) => ({ role: 'tool', tool_call_id: call.id, content: 'ok' })),
      ],
    };
  },
  'openai/responses': (answer) => {
    const output = answer.output as Json[];
    const calls = output.filter((item) => item.type === 'function_call');
    return {
      model: 'm',
      tools: [{ type: 'function', name: 'get_weather' }],
      input: [
        { role: 'user', content: 'hi' },
        ...output,
        ...calls.map((call) => ({ type: 'function_call_output', call_id: call.call_id, output: 'ok' })),
      ],
    };
  },
  'anthropic/messages': (answer) => {
    const content = answer.content as Json[];
    const calls = content.filter((block) => block.type === 'tool_use');
    return {
      model: 'm',
      max_tokens: 9,
      tools: [{ name: 'get_weather', input_schema: { type: 'object' } }],
      messages: [
        { role: 'user', content: 'hi' },
        { role: 'assistant', content },
        { role: 'user', content: calls.map((call) => ({ type: 'tool_result', tool_use_id: call.id, content: 'ok' })) },
      ],
    };
  },
  'gemini/generate': (answer) => {
    const content = (answer.candidates as { content: { parts: Json[] } }[])[0]!.content;
    const calls = content.parts.flatMap((part) => (part.functionCall === undefined ? [] : [part.functionCall as Json]));
    return {
      tools: [{ functionDeclarations: [{ name: 'get_weather' }] }],
      contents: [
        { role: 'user', parts: [{ text: 'hi' }] },
        content,
        {
          role: 'user',
          parts: calls.map((call) => ({
            functionResponse: { id: call.id, name: call.name, response: { output: 'ok' } },
          })),
        },
      ],
    };
  },
};

/** The provider's answer through the caller's program and back to the same provider. */
function roundTrip(
  provider: SurfaceName,
  caller: SurfaceName,
  name: string,
): { body: Json; dropped: readonly string[] } {
  const recorded = golden(provider, 'answers').find((one) => one.name === name)!.in;
  const answer = translation(caller, provider).answer(Buffer.from(JSON.stringify(recorded)));
  const next = nextTurn[caller](JSON.parse(answer.toString()) as Json);
  const { body, dropped } = translation(caller, provider, { body: next });
  return { body: JSON.parse(body.toString()) as Json, dropped };
}

const callersOf = (provider: SurfaceName): SurfaceName[] => SURFACES.filter((one) => one !== provider);

describe('LLM-7: a tool loop keeps what the provider signed, whatever the caller speaks', () => {
  it.each(callersOf('anthropic/messages'))("Anthropic's thinking through %s", (caller) => {
    const { body, dropped } = roundTrip('anthropic/messages', caller, 'signed thinking, text and parallel calls');
    expect((body.messages as Json[])[1]).toEqual({
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'Hm.', signature: 'EqQB' },
        { type: 'text', text: 'Let me look.' },
        { type: 'tool_use', id: 'toolu_1', name: 'get_weather', input: { city: 'Zürich' } },
        { type: 'tool_use', id: 'toolu_2', name: 'ping', input: {} },
      ],
    });
    expect((body.messages as { content: Json[] }[])[2]!.content.map((block) => block.tool_use_id)).toEqual([
      'toolu_1',
      'toolu_2',
    ]);
    expect(dropped).toEqual([]);
  });

  it.each(callersOf('anthropic/messages'))("Anthropic's redacted thinking through %s", (caller) => {
    const { body } = roundTrip('anthropic/messages', caller, 'redacted thinking');
    expect((body.messages as Json[])[1]).toEqual({
      role: 'assistant',
      content: [
        { type: 'redacted_thinking', data: 'r3d' },
        { type: 'text', text: 'Hello.' },
      ],
    });
  });

  it.each(callersOf('gemini/generate'))("Gemini's signed call through %s", (caller) => {
    const { body } = roundTrip('gemini/generate', caller, 'parallel calls with ids');
    const { parts } = (body.contents as { parts: Json[] }[])[1]!;
    expect(parts).toEqual([
      { text: 'Let me look.' },
      { functionCall: { id: 'f1', name: 'get_weather', args: { city: 'Zürich' } }, thoughtSignature: 'CiQB' },
      { functionCall: { id: 'f2', name: 'ping', args: {} } },
    ]);
  });

  it.each(callersOf('openai/responses'))("OpenAI's encrypted reasoning through %s", (caller) => {
    const { body } = roundTrip('openai/responses', caller, 'encrypted reasoning, text and parallel calls');
    expect((body.input as Json[])[1]).toEqual({
      type: 'reasoning',
      id: 'rs_1',
      summary: [{ type: 'summary_text', text: 'Hm.' }],
      encrypted_content: 'gAAA',
    });
  });

  it('a signature goes to nobody but its signer', () => {
    const recorded = golden('gemini/generate', 'answers')[1]!.in;
    const answer = translation('anthropic/messages', 'gemini/generate').answer(Buffer.from(JSON.stringify(recorded)));
    const next = nextTurn['anthropic/messages'](JSON.parse(answer.toString()) as Json);
    const { body, dropped } = translation('anthropic/messages', 'openai/chat', { body: next });
    expect(body.toString()).not.toMatch(/CiQB|c21hcnRmbG93/);
    expect(dropped).toContain('messages[].content[].thinking');
  });
});

describe('translatorFor', () => {
  it('the same format never passes through translation, nor does what has no counterpart', () => {
    const chat = { dialect: 'openai', operation: 'chat' } as const;
    const generate = { dialect: 'gemini', operation: 'generate' } as const;
    expect(translatorFor(chat, chat)).toBeNull();
    expect(translatorFor(generate, { dialect: 'gemini', operation: 'stream_generate' })).toBeNull();
    expect(translatorFor({ dialect: 'openai', operation: 'embeddings' }, generate)).toBeNull();
    expect(translatorFor({ dialect: 'anthropic', operation: 'count_tokens' }, chat)).toBeNull();
    expect(translatorFor(chat, generate)).not.toBeNull();
  });
});
