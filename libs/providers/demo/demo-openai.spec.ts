import OpenAI from 'openai';
import { type DemoProvider, startDemoProvider } from './index.js';

let demo: DemoProvider;
let client: OpenAI;
beforeAll(async () => {
  demo = await startDemoProvider();
  client = new OpenAI({ baseURL: `${demo.baseUrl}/v1`, apiKey: demo.token, maxRetries: 0 });
});
afterAll(() => demo.stop());

const user = (content: string): OpenAI.ChatCompletionMessageParam[] => [{ role: 'user', content }];
const WEATHER = {
  type: 'object',
  properties: {
    city: { type: 'string' },
    days: { type: 'integer', minimum: 3 },
    unit: { enum: ['celsius', 'fahrenheit'] },
  },
  required: ['city', 'days', 'unit'],
  additionalProperties: false,
};
const weatherTool: OpenAI.ChatCompletionTool = {
  type: 'function',
  function: { name: 'get_weather', parameters: WEATHER },
};
const timeTool: OpenAI.ChatCompletionTool = {
  type: 'function',
  function: { name: 'get_time', parameters: { type: 'object', properties: {} } },
};

/** The JSON of every data line, `[DONE]` left out. */
async function rawStream(path: string, body: object): Promise<{ text: string; events: Record<string, unknown>[] }> {
  const response = await fetch(demo.baseUrl + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${demo.token}` },
    body: JSON.stringify(body),
  });
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  const text = await response.text();
  const events = [...text.matchAll(/^data: (\{.*\})$/gm)].map(
    (match) => JSON.parse(match[1] ?? '') as Record<string, unknown>,
  );
  return { text, events };
}

describe('CFG-4: OpenAI chat through the official SDK', () => {
  it('CFG-4: echo answers with the last text of the user and counts a token for four characters', async () => {
    const messages = [
      { role: 'system' as const, content: 'Be kind.' },
      ...user('no'),
      { role: 'assistant' as const, content: 'yes' },
      ...user('Grüße 👋'),
    ];
    const { data: completion, response } = await client.chat.completions
      .create({ model: 'echo', messages })
      .withResponse();
    expect(completion.choices).toEqual([
      {
        index: 0,
        message: { role: 'assistant', content: 'Grüße 👋', refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: 'stop',
      },
    ]);
    expect(completion.model).toBe('echo');
    expect(completion.usage).toMatchObject({ prompt_tokens: 6, completion_tokens: 2, total_tokens: 8 }); // (8+2+3+8)/4, 8/4
    expect(response.headers.get('x-request-id')).toMatch(/^req_[0-9a-f]{32}$/);
  });
  it('CFG-4: the same call gets the same bytes', async () => {
    const ask = async (): Promise<string> =>
      (await rawStream('/v1/chat/completions', { model: 'echo', messages: user('again'), stream: true })).text;
    expect(await ask()).toBe(await ask());
  });
  it('CFG-4: a stream carries usage only when asked: null on every chunk, figures on a last one without choices', async () => {
    const body = { model: 'echo', messages: user('a text that is longer than one piece'), stream: true };
    const without = await rawStream('/v1/chat/completions', body);
    expect(without.events.every((event) => !('usage' in event) && (event['choices'] as unknown[]).length === 1)).toBe(
      true,
    );
    const { events, text } = await rawStream('/v1/chat/completions', {
      ...body,
      stream_options: { include_usage: true },
    });
    expect(events.slice(0, -1).every((event) => event['usage'] === null)).toBe(true);
    expect(events.at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 9, completion_tokens: 9, total_tokens: 18 },
    });
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
    expect(events[0]).toMatchObject({
      object: 'chat.completion.chunk',
      choices: [{ delta: { role: 'assistant', content: '' }, finish_reason: null }],
    });
    expect(events.at(-2)).toMatchObject({ choices: [{ delta: {}, finish_reason: 'stop' }] });
  });
  it('CFG-4: the SDK puts a stream together', async () => {
    const stream = client.chat.completions.stream({
      model: 'story-20',
      messages: user('tell'),
      stream_options: { include_usage: true },
    });
    const final = await stream.finalChatCompletion();
    expect(final.choices[0]?.message.content).toHaveLength(320);
    expect(final.usage?.completion_tokens).toBe(80);
  });
  it('CFG-4: a story comes in paced pieces', async () => {
    const start = performance.now();
    const stream = await client.chat.completions.create({ model: 'story-12', messages: user('tell'), stream: true });
    let pieces = 0;
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) pieces += 1;
    expect(pieces).toBe(12);
    expect(performance.now() - start).toBeGreaterThanOrEqual(100);
  });
  it.each([
    ['max_tokens', { max_tokens: 2 }, 'A long t', 'length', 2],
    ['max_completion_tokens', { max_completion_tokens: 1 }, 'A lo', 'length', 1],
    ['enough', { max_tokens: 6 }, 'A long text 👋.', 'stop', 4],
    [
      'a character is never cut in two',
      { max_tokens: 3, messages: user('abcdefghijk👋👋') },
      'abcdefghijk',
      'length',
      3,
    ],
    ['a stop sequence', { stop: ['text', 'long'] }, 'A ', 'stop', 1],
  ])('CFG-4: limits: %s', async (_name, more, content, finish_reason, completion_tokens) => {
    const completion = await client.chat.completions.create({
      model: 'echo',
      messages: user('A long text 👋.'),
      ...more,
    });
    expect(completion.choices[0]).toMatchObject({ message: { content }, finish_reason });
    expect(completion.usage?.completion_tokens).toBe(completion_tokens);
  });
  it('CFG-4: n choices are all counted, streamed or not', async () => {
    const whole = await client.chat.completions.create({ model: 'echo', messages: user('abcd'), n: 3 });
    expect(whole.choices.map(({ index, message }) => [index, message.content])).toEqual([
      [0, 'abcd'],
      [1, 'abcd'],
      [2, 'abcd'],
    ]);
    expect(whole.usage?.completion_tokens).toBe(3);
    const final = await client.chat.completions
      .stream({ model: 'echo', messages: user('abcd'), n: 2 })
      .finalChatCompletion();
    expect(final.choices.map(({ message }) => message.content)).toEqual(['abcd', 'abcd']);
  });
  it('CFG-4: images are counted', async () => {
    const image = { type: 'image_url' as const, image_url: { url: 'data:image/png;base64,AAAA' } };
    const completion = await client.chat.completions.create({
      model: 'echo',
      messages: [{ role: 'user', content: [{ type: 'text', text: 'look' }, image, image] }],
    });
    expect(completion.usage?.prompt_tokens).toBe(1 + 2 * 85);
    expect(completion.choices[0]?.message.content).toBe('look');
  });
  it('CFG-4: structured output is a minimal valid instance of the schema', async () => {
    const schema = {
      type: 'object',
      properties: {
        answer: { anyOf: [{ $ref: '#/$defs/text' }, { type: 'null' }] },
        tags: { type: 'array', items: { type: 'string' }, minItems: 2 },
      },
      required: ['answer', 'tags'],
      $defs: { text: { type: 'string', format: 'date' } },
    };
    const ask = async (response_format: OpenAI.ChatCompletionCreateParams['response_format']): Promise<unknown> =>
      JSON.parse(
        (await client.chat.completions.create({ model: 'echo', messages: user('hi'), response_format })).choices[0]
          ?.message.content ?? '',
      );
    expect(await ask({ type: 'json_schema', json_schema: { name: 'a', strict: true, schema } })).toEqual({
      answer: '2026-01-01',
      tags: ['demo', 'demo'],
    });
    expect(await ask({ type: 'json_object' })).toEqual({ answer: 'hi' });
  });
});

describe('CFG-4: OpenAI tools', () => {
  it.each([false, true])(
    'CFG-4: tool asks for the first tool, then answers with its result (stream: %p)',
    async (stream) => {
      const messages: OpenAI.ChatCompletionMessageParam[] = user('weather?');
      const run = async (): Promise<OpenAI.ChatCompletion> => {
        const body = { model: 'tool', messages, tools: [weatherTool, timeTool] };
        return stream
          ? client.chat.completions.stream(body).finalChatCompletion()
          : client.chat.completions.create(body);
      };
      const first = (await run()).choices[0];
      expect(first?.finish_reason).toBe('tool_calls');
      const calls = first?.message.tool_calls ?? [];
      expect(calls).toHaveLength(1);
      const call = calls[0] as OpenAI.ChatCompletionMessageFunctionToolCall;
      expect(call.function.name).toBe('get_weather');
      expect(JSON.parse(call.function.arguments)).toEqual({ city: 'demo', days: 3, unit: 'celsius' });
      messages.push(
        { role: 'assistant', content: null, tool_calls: calls },
        { role: 'tool', tool_call_id: call.id, content: '21 degrees' },
      );
      const second = (await run()).choices[0];
      expect([second?.finish_reason, second?.message.content]).toEqual(['stop', 'The tool answered: 21 degrees']);
      messages.push({ role: 'assistant', content: 'x' }, ...user('and tomorrow?'));
      expect((await run()).choices[0]?.finish_reason).toBe('tool_calls');
    },
  );
  it.each([
    ['parallel_tool_calls', { model: 'tool', parallel_tool_calls: true }],
    ['the model tool-parallel', { model: 'tool-parallel' }],
  ])('CFG-4: %s gives two calls with ids of their own', async (_name, more) => {
    const final = await client.chat.completions
      .stream({ messages: user('x'), tools: [weatherTool, timeTool], ...more })
      .finalChatCompletion();
    const calls = (final.choices[0]?.message.tool_calls ?? []) as OpenAI.ChatCompletionMessageFunctionToolCall[];
    expect(calls.map((call) => call.function.name)).toEqual(['get_weather', 'get_time']);
    expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
  });
  it('CFG-4: tool_choice is honoured', async () => {
    const ask = (tool_choice: OpenAI.ChatCompletionToolChoiceOption): Promise<OpenAI.ChatCompletion> =>
      client.chat.completions.create({
        model: 'tool',
        messages: user('x'),
        tools: [weatherTool, timeTool],
        tool_choice,
      });
    expect((await ask('none')).choices[0]?.message.content).toMatch(/No tool/);
    const named =
      (await ask({ type: 'function', function: { name: 'get_time' } })).choices[0]?.message.tool_calls ?? [];
    expect(named).toMatchObject([{ function: { name: 'get_time', arguments: '{}' } }]);
  });
  it('CFG-4: a call that does not fit into max_tokens ends by length', async () => {
    const completion = await client.chat.completions.create({
      model: 'tool',
      messages: user('x'),
      tools: [weatherTool],
      max_tokens: 2,
    });
    expect(completion.choices[0]).toMatchObject({ finish_reason: 'length', message: { content: '' } });
  });
});

describe('CFG-4: OpenAI Responses', () => {
  it('CFG-4: plain, with usage in its own names', async () => {
    const response = await client.responses.create({ model: 'echo', instructions: 'Be brief', input: 'hello' });
    expect(response.output_text).toBe('hello');
    expect(response.status).toBe('completed');
    expect(response.usage).toEqual({
      input_tokens: 4,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 2,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 6,
    });
  });
  it('CFG-4: streamed events come in order, numbered, usage inside response.completed, no [DONE]', async () => {
    const { events, text } = await rawStream('/v1/responses', {
      model: 'echo',
      input: [{ role: 'user', content: [{ type: 'input_text', text: 'hello there, dear reader' }] }],
      stream: true,
    });
    const types = events.map((event) => event['type']);
    expect(types).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ]);
    expect(events.map((event) => event['sequence_number'])).toEqual(events.map((_event, i) => i));
    expect([...text.matchAll(/^event: (.+)$/gm)].map((match) => match[1])).toEqual(types);
    expect(text).not.toContain('[DONE]');
    expect(events.at(-1)).toMatchObject({ response: { status: 'completed', usage: { output_tokens: 6 } } });
  });
  it('CFG-4: max_output_tokens ends in response.incomplete', async () => {
    const final = await client.responses
      .stream({ model: 'echo', input: 'a rather long text', max_output_tokens: 1 })
      .finalResponse();
    expect(final).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      output: [{ content: [{ text: 'a ra' }] }],
    });
  });
  it('CFG-4: a tool round trip, streamed, also with a tool inside a namespace and foreign tool types', async () => {
    const tools = [
      { type: 'web_search' },
      { type: 'namespace', name: 'n', tools: [{ type: 'function', name: 'look', parameters: WEATHER }] },
    ] as unknown as OpenAI.Responses.Tool[];
    const input: OpenAI.Responses.ResponseInputItem[] = [
      { role: 'developer', content: 'use tools' },
      { role: 'user', content: 'go' },
    ];
    const first = await client.responses.stream({ model: 'tool', input, tools }).finalResponse();
    const call = first.output[0] as OpenAI.Responses.ResponseFunctionToolCall;
    expect(call).toMatchObject({ type: 'function_call', name: 'look', status: 'completed' });
    expect(JSON.parse(call.arguments)).toEqual({ city: 'demo', days: 3, unit: 'celsius' });
    const { type, name, call_id } = call;
    input.push(
      { type, name, call_id, arguments: call.arguments },
      { type: 'function_call_output', call_id, output: 'found' },
    );
    expect((await client.responses.create({ model: 'tool', input, tools })).output_text).toBe(
      'The tool answered: found',
    );
  });
  it('CFG-4: structured output', async () => {
    const response = await client.responses.create({
      model: 'echo',
      input: 'x',
      text: { format: { type: 'json_schema', name: 's', schema: WEATHER } },
    });
    expect(JSON.parse(response.output_text)).toEqual({ city: 'demo', days: 3, unit: 'celsius' });
  });
});

describe('CFG-4: OpenAI embeddings, completions, models', () => {
  const length = (vector: number[]): number => Math.hypot(...vector);
  const similarity = (a: number[], b: number[]): number => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);

  it('CFG-4: base64 (the SDK default) and float give the same unit vectors, dimensions are honoured', async () => {
    const packed = await client.embeddings.create({ model: 'embed', input: ['hello world', 'hello'], dimensions: 64 });
    const floats = await client.embeddings.create({
      model: 'embed',
      input: ['hello world', 'hello'],
      dimensions: 64,
      encoding_format: 'float',
    });
    expect(packed.data[0]?.embedding).toHaveLength(64);
    packed.data.forEach((item, i) =>
      item.embedding.forEach((value, k) => expect(value).toBeCloseTo(floats.data[i]?.embedding[k] ?? Number.NaN, 6)),
    );
    expect(length(floats.data[0]?.embedding ?? [])).toBeCloseTo(1, 5);
    expect(packed.usage).toEqual({ prompt_tokens: 3 + 2, total_tokens: 5 });
  });
  it('CFG-4: texts that share words lie closer together than others; token ids are accepted', async () => {
    const { data } = await client.embeddings.create({
      model: 'embed',
      input: ['the weather in Paris today', 'today the weather in Berlin', 'binary search tree'],
      encoding_format: 'float',
    });
    const [a, b, c] = data.map(({ embedding }) => embedding) as [number[], number[], number[]];
    expect(similarity(a, b)).toBeGreaterThan(similarity(a, c) + 0.2);
    const tokens = await client.embeddings.create({
      model: 'embed',
      input: [[1, 2, 3], [4]],
      encoding_format: 'float',
    });
    expect(tokens.usage.prompt_tokens).toBe(4);
  });
  it('CFG-4: completions, whole and streamed', async () => {
    const whole = await client.completions.create({ model: 'echo', prompt: ['one', 'two'], max_tokens: 100, n: 2 });
    expect(whole.choices.map(({ text, index }) => [index, text])).toEqual([
      [0, 'one'],
      [1, 'one'],
      [2, 'two'],
      [3, 'two'],
    ]);
    expect(whole.usage).toEqual({ prompt_tokens: 2, completion_tokens: 4, total_tokens: 6 });
    let text = '';
    for await (const chunk of await client.completions.create({
      model: 'echo',
      prompt: 'a prompt of several pieces',
      max_tokens: 100,
      stream: true,
    }))
      text += chunk.choices[0]?.text ?? '';
    expect(text).toBe('a prompt of several pieces');
  });
  it('CFG-4: models are listed and found', async () => {
    const ids: string[] = [];
    for await (const { id } of client.models.list()) ids.push(id);
    expect(ids).toEqual(['echo', 'story', 'tool', 'embed']);
    expect((await client.models.retrieve('error-529')).id).toBe('error-529');
    await expect(client.models.retrieve('gpt-4o')).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
  });
});
