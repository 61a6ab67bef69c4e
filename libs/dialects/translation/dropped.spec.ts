import { translation } from '#test/fakes/golden-translations.js';

const user = { role: 'user', content: 'hi' };

describe('LLM-7: what a target is not told is listed', () => {
  it('what stands beside functions and beside the schema of the answer', () => {
    const body = {
      model: 'm',
      messages: [user],
      tools: [
        { type: 'function', function: { name: 'f' }, extra: 1 },
        { type: 'custom', custom: { name: 'g', other: 1 } },
      ],
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'n', description: 'd', strict: false, schema: { type: 'object' } },
      },
    };
    for (const target of ['anthropic/messages', 'gemini/generate'] as const)
      expect(translation('openai/chat', target, { body }).dropped.toSorted()).toEqual([
        'response_format.json_schema.description',
        'response_format.json_schema.name',
        'response_format.json_schema.strict',
        'tools[].custom.other',
        'tools[].extra',
      ]);
    expect(translation('openai/chat', 'openai/responses', { body }).dropped).toEqual([
      'tools[].extra',
      'tools[].custom.other',
    ]);
  });

  it.each(['openai/chat', 'openai/responses', 'anthropic/messages'] as const)('VALIDATED at %s', (target) => {
    const body = {
      contents: [{ parts: [{ text: 'hi' }] }],
      tools: [{ functionDeclarations: [{ name: 'f' }] }],
      toolConfig: { functionCallingConfig: { mode: 'VALIDATED' } },
    };
    expect(translation('gemini/generate', target, { body }).dropped).toEqual(['toolConfig.functionCallingConfig.mode']);
  });

  it.each([
    ['openai/chat', 'gpt-5', 'max', ['output_config.effort:lowered']],
    ['openai/responses', 'gpt-5.5', 'max', ['output_config.effort:lowered']],
    ['openai/responses', 'gpt-5.5', 'xhigh', []],
    ['gemini/generate', 'gemini-3-pro', 'max', ['output_config.effort:lowered']],
    ['gemini/generate', 'gemini-3-pro', 'high', []],
    ['gemini/generate', 'gemini-2.5-pro', 'max', ['output_config.effort:lowered']],
  ] as const)('%s: %s takes effort %s for less', (target, model, effort, dropped) => {
    const body = { model: 'm', max_tokens: 9, messages: [user], output_config: { effort } };
    expect(translation('anthropic/messages', target, { body, model }).dropped).toEqual(dropped);
  });
});

describe('LLM-7: parallel results at Gemini models that take no ids', () => {
  const call = (id: string): object => ({ id, type: 'function', function: { name: 'f', arguments: '{}' } });
  const result = (id: string, content: string): object => ({ role: 'tool', tool_call_id: id, content });
  const outputs = (model: string, messages: object[]): unknown[] => {
    const { body } = translation('openai/chat', 'gemini/generate', { body: { model: 'm', messages }, model });
    type Content = { parts: { functionResponse?: { response: { output: string } } }[] };
    return (JSON.parse(body.toString()) as { contents: Content[] }).contents.flatMap(({ parts }) =>
      parts.flatMap(({ functionResponse }) => functionResponse?.response.output ?? []),
    );
  };
  const conversation = [
    user,
    { role: 'assistant', tool_calls: [call('a'), call('b')] },
    result('b', 'B1'),
    result('a', 'A1'),
    // Some callers count the ids of every turn from the start.
    { role: 'assistant', tool_calls: [call('b'), call('a')] },
    result('a', 'A2'),
    result('b', 'B2'),
  ];

  it('stand in the order of their calls', () => {
    expect(outputs('gemini-2.5-pro', conversation)).toEqual(['A1', 'B1', 'B2', 'A2']);
  });

  it('keep their order where ids are sent', () => {
    expect(outputs('gemini-3-pro', conversation)).toEqual(['B1', 'A1', 'A2', 'B2']);
  });
});
