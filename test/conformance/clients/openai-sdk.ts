import assert from 'node:assert/strict';
import OpenAI, { APIError } from 'openai';
import { expectEcho, WEATHER_SCHEMA, type Check, type Gateway } from './check.js';

const client = 'openai SDK';
const open = ({ url, key }: Gateway): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 2 });
const tools = [
  { type: 'function' as const, function: { name: 'get_weather', description: 'weather', parameters: WEATHER_SCHEMA } },
];
const ask = [{ role: 'user' as const, content: 'What is the weather in Bern?' }];

/** What applications do with the official OpenAI SDK. */
export const openaiSdkChecks: readonly Check[] = [
  {
    client,
    name: 'chat completion',
    async run(gateway) {
      const { data, response } = await open(gateway)
        .chat.completions.create({ model: 'demo/echo', messages: [{ role: 'user', content: 'hello' }] })
        .withResponse();
      expectEcho(data.choices[0]?.message.content, 'hello');
      assert.ok((data.usage?.total_tokens ?? 0) > 0);
      assert.match(response.headers.get('x-request-id') ?? '', /^req_/);
    },
  },
  {
    client,
    name: 'streamed chat completion, usage only when asked for',
    async run(gateway) {
      for (const asked of [false, true]) {
        const stream = await open(gateway).chat.completions.create({
          model: 'demo/echo',
          stream: true,
          messages: [{ role: 'user', content: 'one two three' }],
          ...(asked ? { stream_options: { include_usage: true } } : {}),
        });
        let text = '';
        let usageChunks = 0;
        for await (const chunk of stream) {
          text += chunk.choices[0]?.delta.content ?? '';
          if (chunk.choices.length === 0) usageChunks++;
        }
        expectEcho(text, 'one two three');
        assert.equal(usageChunks, asked ? 1 : 0);
      }
    },
  },
  {
    client,
    name: 'tool round trip, plain and streamed',
    async run(gateway) {
      const first = await open(gateway).chat.completions.create({ model: 'demo/tool', messages: ask, tools });
      const call = first.choices[0]?.message.tool_calls?.[0];
      assert.ok(call?.type === 'function' && call.function.name === 'get_weather');
      assert.equal(first.choices[0]?.finish_reason, 'tool_calls');
      const second = await open(gateway).chat.completions.create({
        model: 'demo/tool',
        tools,
        messages: [...ask, first.choices[0]!.message, { role: 'tool', tool_call_id: call.id, content: 'sunny' }],
      });
      assert.equal(second.choices[0]?.finish_reason, 'stop');
      const runner = open(gateway).chat.completions.stream({ model: 'demo/tool', messages: ask, tools });
      assert.equal((await runner.finalMessage()).tool_calls?.[0]?.type, 'function');
    },
  },
  {
    client,
    name: 'embeddings: base64 (the default) and float give the same vector',
    async run(gateway) {
      const byDefault = await open(gateway).embeddings.create({ model: 'demo/embed', input: ['a', 'b'] });
      const asFloat = await open(gateway).embeddings.create({
        model: 'demo/embed',
        input: ['a', 'b'],
        encoding_format: 'float',
      });
      assert.equal(byDefault.data.length, 2);
      assert.deepEqual(
        byDefault.data[0]?.embedding.map((x) => x.toFixed(5)),
        asFloat.data[0]?.embedding.map((x) => x.toFixed(5)),
      );
    },
  },
  {
    client,
    name: 'responses: plain, streamed and with a tool',
    async run(gateway) {
      const plain = await open(gateway).responses.create({ model: 'demo/echo', input: 'hello there' });
      expectEcho(plain.output_text, 'hello there');
      const stream = await open(gateway).responses.create({ model: 'demo/echo', input: 'streamed', stream: true });
      let text = '';
      let completed = false;
      for await (const event of stream) {
        if (event.type === 'response.output_text.delta') text += event.delta;
        if (event.type === 'response.completed') completed = true;
      }
      expectEcho(text, 'streamed');
      assert.ok(completed);
      const tool = await open(gateway).responses.create({
        model: 'demo/tool',
        input: 'weather?',
        tools: [{ type: 'function', name: 'get_weather', parameters: WEATHER_SCHEMA, strict: true }],
      });
      assert.equal(tool.output.find((item) => item.type === 'function_call')?.name, 'get_weather');
    },
  },
  {
    client,
    name: 'legacy completions, models',
    async run(gateway) {
      const legacy = await open(gateway).completions.create({ model: 'demo/echo', prompt: 'hello' });
      expectEcho(legacy.choices[0]?.text, 'hello');
      const ids: string[] = [];
      for await (const model of open(gateway).models.list()) ids.push(model.id);
      assert.ok(ids.includes('demo/echo'));
      assert.equal((await open(gateway).models.retrieve('demo/echo')).id, 'demo/echo');
    },
  },
  {
    client,
    name: 'our errors are read, and what cannot get better is not asked again',
    async run(gateway) {
      const wrongKey = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'sk-sf-wrong' });
      const started = performance.now();
      await assert.rejects(
        wrongKey.chat.completions.create({ model: 'demo/echo', messages: [] }),
        (error) => error instanceof APIError && error.status === 401 && error.code === 'invalid_api_key',
      );
      await assert.rejects(
        open(gateway).chat.completions.create({ model: 'nothing', messages: [] }),
        (error) => error instanceof APIError && error.status === 404 && error.code === 'model_not_found',
      );
      assert.ok(performance.now() - started < 1500);
    },
  },
  {
    client,
    name: 'a provider error keeps its status; a broken stream throws',
    async run(gateway) {
      await assert.rejects(
        new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: gateway.key, maxRetries: 0 }).chat.completions.create({
          model: 'demo/error-429',
          messages: ask,
        }),
        (error) => error instanceof APIError && error.status === 429,
      );
      for (const model of ['demo/cut', 'demo/cut-clean']) {
        const stream = await open(gateway).chat.completions.create({ model, stream: true, messages: ask });
        await assert.rejects(async () => {
          for await (const chunk of stream) void chunk;
        }, /broke off/);
      }
    },
  },
];
