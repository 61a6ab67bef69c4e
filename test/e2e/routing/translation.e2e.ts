import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { json, sse } from '#test/fakes/upstream/behaviour.js';
import type { RecordedRequest } from '#test/fakes/upstream/recorded-request.js';
import { refuses, rowsOf, startRouted, streams, type RoutedProduct } from './routed-product.js';

/** LLM-7: official SDKs reach models of other providers through the built product: text, tools, streams. */
const SERVER = { type: 'openai-compatible', api_key: 'sk-upstream-4f8a2b6c9d' };
let running: RoutedProduct;
beforeAll(async () => {
  running = await startRouted([], ({ url }) => ({
    providers: {
      lone: { ...SERVER, base_url: `${url}/lone/v1`, responses_only: ['*'] },
      plain: { ...SERVER, base_url: `${url}/plain/v1`, chat_only: ['*'] },
    },
  }));
}, 180_000);
afterAll(() => running?.stop(), 60_000);
beforeEach(() => running.upstream.reset());

const openai = (): OpenAI =>
  new OpenAI({ baseURL: `${running.product.url}/v1`, apiKey: running.product.key, maxRetries: 0 });
const anthropic = (): Anthropic =>
  new Anthropic({ baseURL: `${running.product.url}/anthropic`, apiKey: running.product.key, maxRetries: 0 });

const CLAUDE = 'claude/claude-sonnet-5';
const GEMINI = 'google/gemini-3.5-flash';
const CITY = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } as const;
const chatTool = { type: 'function', function: { name: 'weather', parameters: CITY } } as const;
const messages = [
  { role: 'system' as const, content: 'Be brief.' },
  { role: 'user' as const, content: 'Weather in Zürich?' },
];

const claudeUsage = { input_tokens: 12, output_tokens: 7 };
const message = (content: readonly object[], stop: string): object => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-sonnet-5',
  content,
  stop_reason: stop,
  stop_sequence: null,
  usage: claudeUsage,
});
const TOOL_USE = { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Zürich' } };

const events = (list: readonly { readonly type: string; readonly [field: string]: unknown }[]): string[] =>
  list.map((data) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`);

const claudeStream = events([
  { type: 'message_start', message: { ...message([], ''), stop_reason: null } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Sun' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'ny é' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'content_block_start', index: 1, content_block: { ...TOOL_USE, input: {} } },
  { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '{"city":' } },
  { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '"Zürich"}' } },
  { type: 'content_block_stop', index: 1 },
  { type: 'message_delta', delta: { stop_reason: 'tool_use', stop_sequence: null }, usage: claudeUsage },
  { type: 'message_stop' },
]);

async function sent(): Promise<{ readonly request: RecordedRequest; readonly body: Record<string, unknown> }> {
  const request = await running.upstream.waitForRequest(1);
  return { request, body: JSON.parse(request.body.toString()) as Record<string, unknown> };
}

describe('OpenAI SDK → Claude', () => {
  it('LLM-7: a text, with the system prompt, usage and headers that name who served', async () => {
    running.upstream.respond('next', json(message([{ type: 'text', text: 'Sunny' }], 'end_turn')));
    const { data, response } = await openai()
      .chat.completions.create({ model: CLAUDE, messages, logit_bias: { 1: 1 } })
      .withResponse();
    expect(data.choices[0]).toMatchObject({ message: { role: 'assistant', content: 'Sunny' }, finish_reason: 'stop' });
    expect(data.usage).toMatchObject({ prompt_tokens: 12, completion_tokens: 7, total_tokens: 19 });
    expect(response.headers.get('x-smartflow-provider')).toBe('claude');
    expect(response.headers.get('x-smartflow-model')).toBe('claude-sonnet-5');
    expect(response.headers.get('x-smartflow-dropped')).toBe('logit_bias');
    const { request, body } = await sent();
    expect(request.target).toBe('/claude/v1/messages');
    expect(request.header('anthropic-version')).toBeDefined();
    expect(JSON.stringify(body['system'])).toContain('Be brief.');
    expect(body['max_tokens']).toEqual(expect.any(Number));
  });

  it('LLM-7: a tool call and its result', async () => {
    running.upstream.respond('next', json(message([TOOL_USE], 'tool_use')));
    const first = await openai().chat.completions.create({ model: CLAUDE, messages, tools: [chatTool] });
    const reply = first.choices[0]?.message;
    const asked = reply?.tool_calls?.[0];
    expect(asked).toMatchObject({ type: 'function', function: { name: 'weather' } });
    if (reply === undefined || asked?.type !== 'function') throw new Error('no tool call');
    expect(JSON.parse(asked.function.arguments)).toEqual({ city: 'Zürich' });
    running.upstream.reset();
    running.upstream.respond('next', json(message([{ type: 'text', text: 'Sunny' }], 'end_turn')));
    const result = { role: 'tool' as const, tool_call_id: asked.id, content: '21 °C' };
    await openai().chat.completions.create({
      model: CLAUDE,
      messages: [...messages, reply, result],
      tools: [chatTool],
    });
    const { body } = await sent();
    expect(JSON.stringify(body['messages'])).toContain('tool_result');
  });

  it('LLM-7: a stream of text and a tool call', async () => {
    running.upstream.respond('next', sse(claudeStream));
    const stream = openai().chat.completions.stream({
      model: CLAUDE,
      messages,
      tools: [chatTool],
      stream_options: { include_usage: true },
    });
    const final = await stream.finalChatCompletion();
    expect(final.choices[0]?.message.content).toBe('Sunny é');
    expect(final.choices[0]?.finish_reason).toBe('tool_calls');
    expect(final.choices[0]?.message.tool_calls?.[0]).toMatchObject({ function: { name: 'weather' } });
    expect(final.usage).toMatchObject({ prompt_tokens: 12, completion_tokens: 7 });
  });

  it('LLM-7, LLM-8: a stream that breaks ends in an error', async () => {
    running.upstream.respond('next', sse(claudeStream.slice(0, 4), { end: 'cut' }));
    const stream = await openai().chat.completions.create({ model: CLAUDE, messages, stream: true });
    let text = '';
    const read = async (): Promise<void> => {
      for await (const part of stream) text += part.choices[0]?.delta.content ?? '';
    };
    await expect(read()).rejects.toThrow();
    expect(text).toBe('Sunny é');
  });

  it('LLM-7: an error in the words of the caller’s dialect', async () => {
    const error = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } };
    running.upstream.respond('next', json(error, { status: 529 }));
    const failed: unknown = await openai()
      .chat.completions.create({ model: CLAUDE, messages })
      .catch((caught: unknown) => caught);
    expect(failed).toMatchObject({ status: 503, error: { message: expect.stringContaining('Overloaded') as string } });
  });

  it('LLM-7: what cannot be carried over is refused by name, and nothing is sent', async () => {
    const failed: unknown = await openai()
      .chat.completions.create({ model: CLAUDE, messages, n: 2 })
      .catch((caught: unknown) => caught);
    expect(failed).toMatchObject({ status: 400, error: { param: 'n' } });
    expect(running.upstream.requests).toHaveLength(0);
  });
});

describe('OpenAI SDK → Gemini', () => {
  const part = (parts: readonly object[], finishReason?: string): object => ({
    candidates: [
      { index: 0, content: { role: 'model', parts }, ...(finishReason === undefined ? {} : { finishReason }) },
    ],
    usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 4, totalTokenCount: 13 },
    modelVersion: 'gemini-3.5-flash',
  });
  const call = { functionCall: { name: 'weather', args: { city: 'Zürich' } } };

  it('LLM-7: a text and a tool call', async () => {
    running.upstream.respond('next', json(part([{ text: 'Let me see. ' }, call], 'STOP')));
    const answer = await openai().chat.completions.create({ model: GEMINI, messages, tools: [chatTool] });
    expect(answer.choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: 'Let me see. ' } });
    expect(answer.usage).toMatchObject({ prompt_tokens: 9, completion_tokens: 4 });
    const { request, body } = await sent();
    expect(request.target).toBe('/google/v1beta/models/gemini-3.5-flash:generateContent');
    expect(body['systemInstruction']).toBeDefined();
  });

  it('LLM-7: a stream', async () => {
    const frames = [part([{ text: 'Sun' }]), part([{ text: 'ny' }], 'STOP')];
    running.upstream.respond('next', sse(frames.map((data) => `data: ${JSON.stringify(data)}\r\n\r\n`)));
    const stream = await openai().chat.completions.create({ model: GEMINI, messages, stream: true });
    let text = '';
    for await (const piece of stream) text += piece.choices[0]?.delta.content ?? '';
    expect(text).toBe('Sunny');
    expect((await sent()).request.target).toBe('/google/v1beta/models/gemini-3.5-flash:streamGenerateContent?alt=sse');
  });
});

describe('Anthropic SDK → an OpenAI model', () => {
  const tools = [{ name: 'weather', input_schema: CITY }] as unknown as Anthropic.Tool[];
  const ask = {
    model: 'first/gpt-5-mini',
    max_tokens: 100,
    system: 'Be brief.',
    messages: [{ role: 'user' as const, content: 'Weather in Zürich?' }],
    tools,
  };
  const toolCall = {
    index: 0,
    id: 'call_1',
    type: 'function',
    function: { name: 'weather', arguments: '{"city":"Zürich"}' },
  };
  const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
  const completion = (choice: object): object => ({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model: 'gpt-5-mini',
    choices: [{ index: 0, ...choice }],
    usage,
  });

  it('LLM-7: a text and a tool call', async () => {
    const reply = { role: 'assistant', content: 'Let me see.', tool_calls: [toolCall] };
    running.upstream.respond('next', json(completion({ message: reply, finish_reason: 'tool_calls' })));
    const answer = await anthropic().messages.create(ask);
    expect(answer.stop_reason).toBe('tool_use');
    expect(answer.content).toMatchObject([
      { type: 'text', text: 'Let me see.' },
      { type: 'tool_use', name: 'weather', input: { city: 'Zürich' } },
    ]);
    expect(answer.usage).toMatchObject({ input_tokens: 10, output_tokens: 5 });
    const { request, body } = await sent();
    expect(request.target).toBe('/first/v1/chat/completions');
    expect(request.header('anthropic-version')).toBeUndefined();
    expect(body['messages']).toMatchObject([{ content: 'Be brief.' }, { role: 'user' }]);
  });

  it('LLM-7: a stream of text and a tool call', async () => {
    const chunk = (delta: object, finish: string | null = null): string =>
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
    const last = `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage })}\n\n`;
    const frames = [
      chunk({ role: 'assistant', content: '' }),
      chunk({ content: 'Sunny é' }),
      chunk({ tool_calls: [toolCall] }),
      chunk({}, 'tool_calls'),
      last,
      'data: [DONE]\n\n',
    ];
    running.upstream.respond('next', sse(frames));
    const final = await anthropic().messages.stream(ask).finalMessage();
    expect(final.stop_reason).toBe('tool_use');
    expect(final.content).toMatchObject([{ text: 'Sunny é' }, { name: 'weather', input: { city: 'Zürich' } }]);
    expect(final.usage).toMatchObject({ output_tokens: 5 });
  });

  it('LLM-7: an error in the words of the caller’s dialect', async () => {
    running.upstream.respond('next', refuses(429, { message: 'Rate limit reached', type: 'requests' }));
    const failed: unknown = await anthropic()
      .messages.create(ask)
      .catch((caught: unknown) => caught);
    expect(failed).toMatchObject({ status: 429, error: { type: 'error', error: { type: 'rate_limit_error' } } });
  });
});

describe('Responses → Claude', () => {
  const input = 'Weather in Zürich?';
  const tools = [{ type: 'function' as const, name: 'weather', parameters: CITY, strict: false }];

  it('LLM-7: a text and a tool call', async () => {
    running.upstream.respond('next', json(message([{ type: 'text', text: 'Let me see.' }, TOOL_USE], 'tool_use')));
    const answer = await openai().responses.create({ model: CLAUDE, instructions: 'Be brief.', input, tools });
    expect(answer.output_text).toBe('Let me see.');
    expect(answer.output.find(({ type }) => type === 'function_call')).toMatchObject({ name: 'weather' });
    expect(answer.usage).toMatchObject({ input_tokens: 12, output_tokens: 7 });
  });

  it('LLM-7: a stream', async () => {
    running.upstream.respond('next', sse(claudeStream));
    const stream = openai().responses.stream({ model: CLAUDE, input, tools });
    let text = '';
    stream.on('response.output_text.delta', ({ delta }) => {
      text += delta;
    });
    const final = await stream.finalResponse();
    expect([text, final.output_text]).toEqual(['Sunny é', 'Sunny é']);
    expect(final.output.find(({ type }) => type === 'function_call')).toMatchObject({ arguments: '{"city":"Zürich"}' });
  });
});

describe('A model that has the Responses API alone', () => {
  const MODEL = 'lone/gpt-5.3-codex';
  const usage = { input_tokens: 11, output_tokens: 6, total_tokens: 17 };
  const callItem = { type: 'function_call', id: 'fc_1', call_id: 'call_1', name: 'weather', status: 'completed' };
  const call = { ...callItem, arguments: '{"city":"Zürich"}' };
  const text = { type: 'output_text', text: 'Sunny é', annotations: [] };
  const said = { type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content: [text] };
  const response = (status: string, output: readonly object[]): object => ({
    id: 'resp_1',
    object: 'response',
    created_at: 1,
    status,
    model: 'gpt-5.3-codex',
    output,
    usage: status === 'completed' ? usage : null,
  });
  const frames = events([
    { type: 'response.created', response: response('in_progress', []) },
    { type: 'response.output_item.added', output_index: 0, item: { ...said, content: [] } },
    { type: 'response.output_text.delta', item_id: 'msg_1', output_index: 0, content_index: 0, delta: 'Sunny é' },
    { type: 'response.output_item.done', output_index: 0, item: said },
    { type: 'response.output_item.added', output_index: 1, item: { ...call, arguments: '' } },
    { type: 'response.function_call_arguments.delta', item_id: 'fc_1', output_index: 1, delta: call.arguments },
    { type: 'response.output_item.done', output_index: 1, item: call },
    { type: 'response.completed', response: response('completed', [said, call]) },
  ]);

  it('LLM-7: the chat SDK gets a text, a tool call and usage; nothing is kept at OpenAI', async () => {
    running.upstream.respond('next', json(response('completed', [said, call])));
    const { data, response: answer } = await openai()
      .chat.completions.create({ model: MODEL, messages, tools: [chatTool], max_completion_tokens: 90 })
      .withResponse();
    expect(data.choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: 'Sunny é' } });
    expect(data.choices[0]?.message.tool_calls).toMatchObject([{ id: 'call_1', function: { name: 'weather' } }]);
    expect(data.usage).toMatchObject({ prompt_tokens: 11, completion_tokens: 6 });
    const { request, body } = await sent();
    expect(request.target).toBe('/lone/v1/responses');
    expect(body).toMatchObject({ model: 'gpt-5.3-codex', store: false, max_output_tokens: 90 });
    const { row } = await rowsOf(running.product, MODEL, answer.headers);
    expect(row).toMatchObject({ inputTokens: 11, outputTokens: 6, error: null });
  });

  it('LLM-7: the chat SDK streams it', async () => {
    running.upstream.respond('next', sse(frames));
    const stream = openai().chat.completions.stream({
      model: MODEL,
      messages,
      tools: [chatTool],
      stream_options: { include_usage: true },
    });
    const final = await stream.finalChatCompletion();
    expect(final.choices[0]?.message.content).toBe('Sunny é');
    expect(final.choices[0]?.message.tool_calls?.[0]).toMatchObject({ function: { arguments: '{"city":"Zürich"}' } });
    expect(final.usage).toMatchObject({ prompt_tokens: 11, completion_tokens: 6 });
    expect((await sent()).body).toMatchObject({ stream: true });
  });

  it('LLM-7: the Anthropic SDK streams it', async () => {
    running.upstream.respond('next', sse(frames));
    const asked = { model: MODEL, max_tokens: 100, messages: [{ role: 'user' as const, content: 'Weather?' }] };
    const final = await anthropic().messages.stream(asked).finalMessage();
    expect(final.stop_reason).toBe('tool_use');
    expect(final.content).toMatchObject([{ text: 'Sunny é' }, { name: 'weather', input: { city: 'Zürich' } }]);
    expect(final.usage).toMatchObject({ input_tokens: 11, output_tokens: 6 });
  });

  it('LLM-7: Responses callers are relayed as they are', async () => {
    running.upstream.respond('next', json(response('completed', [said])));
    const answer = await openai().responses.create({ model: MODEL, input: 'Weather?', store: true });
    expect(answer).toMatchObject({ id: 'resp_1', output_text: 'Sunny é' });
    expect((await sent()).body).toMatchObject({ store: true });
  });
});

describe('A server without the Responses API', () => {
  it('LLM-7: the Responses SDK streams its chat', async () => {
    running.upstream.respond('next', streams('Sunny é'));
    const final = await openai().responses.stream({ model: 'plain/qwen', input: 'Weather?' }).finalResponse();
    expect(final).toMatchObject({ output_text: 'Sunny é', usage: { input_tokens: 10, output_tokens: 5 } });
    expect((await sent()).request.target).toBe('/plain/v1/chat/completions');
  });
});
