import Anthropic from '@anthropic-ai/sdk';
import { type DemoProvider, startDemoProvider } from './index.js';

let demo: DemoProvider;
let client: Anthropic;
beforeAll(async () => {
  demo = await startDemoProvider();
  client = new Anthropic({ baseURL: demo.baseUrl, apiKey: demo.token, maxRetries: 0 });
});
afterAll(() => demo.stop());

const user = (content: string): Anthropic.MessageParam[] => [{ role: 'user', content }];
const WEATHER = { type: 'object' as const, properties: { city: { type: 'string' } }, required: ['city'] };

async function rawStream(body: object): Promise<{ text: string; events: Record<string, unknown>[] }> {
  const response = await fetch(`${demo.baseUrl}/v1/messages?beta=true`, {
    method: 'POST',
    headers: { 'x-api-key': demo.token, 'anthropic-version': '2023-06-01' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return {
    text,
    events: [...text.matchAll(/^data: (\{.*\})$/gm)].map(
      (match) => JSON.parse(match[1] ?? '') as Record<string, unknown>,
    ),
  };
}

describe('CFG-4: Anthropic messages through the official SDK', () => {
  it('CFG-4: echo, with usage as Anthropic reports it', async () => {
    const { data, response } = await client.messages
      .create({ model: 'echo', max_tokens: 100, system: 'Be kind', messages: user('hello') })
      .withResponse();
    expect(data).toMatchObject({
      type: 'message',
      role: 'assistant',
      model: 'echo',
      content: [{ type: 'text', text: 'hello' }],
      stop_reason: 'end_turn',
      stop_sequence: null,
    });
    expect(data.usage).toEqual({
      input_tokens: 3,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
      service_tier: 'standard',
      output_tokens: 2,
    });
    expect(response.headers.get('request-id')).toMatch(/^req_/);
  });
  it('CFG-4: a stream has its events in order, named, with a ping', async () => {
    const { text, events } = await rawStream({
      model: 'echo',
      max_tokens: 100,
      stream: true,
      messages: user('hello there, dear reader'),
    });
    const types = events.map(({ type }) => type);
    expect(types).toEqual([
      'message_start',
      'ping',
      'content_block_start',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    expect([...text.matchAll(/^event: (.+)$/gm)].map((match) => match[1])).toEqual(types);
    expect(events[0]).toMatchObject({
      message: { content: [], stop_reason: null, usage: { input_tokens: 6, output_tokens: 1 } },
    });
    expect(events.at(-2)).toEqual({
      type: 'message_delta',
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: {
        input_tokens: 6,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
        cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
        output_tokens: 6,
      },
    });
  });
  it('CFG-4: the SDK puts a stream together', async () => {
    const message = await client.messages
      .stream({ model: 'story-10', max_tokens: 1000, messages: user('tell') })
      .finalMessage();
    expect(message.content).toMatchObject([{ type: 'text' }]);
    expect(message.usage.output_tokens).toBe(40);
    expect(message.stop_reason).toBe('end_turn');
  });
  it('CFG-4: max_tokens and stop sequences end with their reasons', async () => {
    const cut = await client.messages.create({ model: 'echo', max_tokens: 1, messages: user('a long text') });
    expect([cut.stop_reason, cut.content, cut.usage.output_tokens]).toEqual([
      'max_tokens',
      [{ type: 'text', text: 'a lo' }],
      1,
    ]);
    const stopped = await client.messages.create({
      model: 'echo',
      max_tokens: 10,
      stop_sequences: ['text'],
      messages: user('a long text'),
    });
    expect([stopped.stop_reason, stopped.stop_sequence, stopped.content]).toEqual([
      'stop_sequence',
      'text',
      [{ type: 'text', text: 'a long ' }],
    ]);
  });
  it.each([false, true])(
    'CFG-4: a tool round trip (stream: %p), with system messages inside the conversation',
    async (stream) => {
      const messages: Anthropic.MessageParam[] = user('weather?');
      const run = (): Promise<Anthropic.Message> => {
        const body = {
          model: 'tool',
          max_tokens: 1000,
          messages,
          tools: [
            { type: 'web_search_20250305' as const, name: 'web_search' as const },
            { name: 'get_weather', input_schema: WEATHER },
          ],
        };
        return stream ? client.messages.stream(body).finalMessage() : client.messages.create(body);
      };
      const first = await run();
      expect(first.stop_reason).toBe('tool_use');
      expect(first.content).toMatchObject([{ type: 'tool_use', name: 'get_weather', input: { city: 'demo' } }]);
      const { id } = first.content[0] as Anthropic.ToolUseBlock;
      messages.push(
        { role: 'assistant', content: first.content },
        {
          role: 'user',
          content: [{ type: 'tool_result', tool_use_id: id, content: [{ type: 'text', text: 'sunny' }] }],
        },
      );
      messages.push({ role: 'system', content: 'stay brief' } as unknown as Anthropic.MessageParam);
      const second = await run();
      expect([second.stop_reason, second.content]).toEqual([
        'end_turn',
        [{ type: 'text', text: 'The tool answered: sunny' }],
      ]);
    },
  );
  it('CFG-4: parallel tools when asked', async () => {
    const tools = ['a', 'b', 'c'].map((name) => ({ name, input_schema: WEATHER }));
    const message = await client.messages
      .stream({
        model: 'tool',
        max_tokens: 100,
        messages: user('x'),
        tools,
        tool_choice: { type: 'auto', disable_parallel_tool_use: false },
      })
      .finalMessage();
    expect(message.content).toMatchObject([{ name: 'a' }, { name: 'b' }]);
    expect(new Set(message.content.map((block) => (block as Anthropic.ToolUseBlock).id)).size).toBe(2);
  });
  it('CFG-4: marked prefixes are reported as cache writes, by their time, from 1,024 tokens on', async () => {
    const ask = async (text: string): Promise<Anthropic.Usage> =>
      (
        await client.messages.create({
          model: 'echo',
          max_tokens: 10,
          system: [{ type: 'text', text, cache_control: { type: 'ephemeral', ttl: '1h' } }],
          messages: [
            {
              role: 'user',
              content: [
                { type: 'text', text: 'x'.repeat(400), cache_control: { type: 'ephemeral' } },
                { type: 'text', text: 'hey!' },
              ],
            },
          ],
        })
      ).usage;
    expect(await ask('x'.repeat(8000))).toMatchObject({
      input_tokens: 1,
      cache_creation_input_tokens: 2100,
      cache_creation: { ephemeral_1h_input_tokens: 2000, ephemeral_5m_input_tokens: 100 },
      cache_read_input_tokens: 0,
    });
    expect(await ask('x'.repeat(400))).toMatchObject({ input_tokens: 201, cache_creation_input_tokens: 0 });
  });
  it('CFG-4: structured output and images', async () => {
    const body = {
      model: 'echo',
      max_tokens: 100,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
            { type: 'text', text: 'look' },
          ],
        },
      ],
    } as Anthropic.MessageCreateParamsNonStreaming;
    expect((await client.messages.create(body)).usage.input_tokens).toBe(86);
    const structured = await client.messages.create({
      ...body,
      output_config: { format: { type: 'json_schema', schema: WEATHER } },
    } as Anthropic.MessageCreateParamsNonStreaming);
    expect(structured.content).toEqual([{ type: 'text', text: '{"city":"demo"}' }]);
  });
  it('CFG-4: count_tokens and models', async () => {
    expect(await client.messages.countTokens({ model: 'echo', messages: user('12345') })).toEqual({ input_tokens: 2 });
    const ids: string[] = [];
    for await (const model of client.models.list({ limit: 1000 })) ids.push(`${model.type} ${model.id}`);
    expect(ids).toEqual(['model echo', 'model story', 'model tool', 'model embed']);
    expect((await client.models.retrieve('echo')).display_name).toBe('Demo echo');
  });
});
