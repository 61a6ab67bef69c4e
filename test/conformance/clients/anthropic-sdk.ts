import assert from 'node:assert/strict';
import Anthropic, { APIError } from '@anthropic-ai/sdk';
import { expectEcho, WEATHER_SCHEMA, type Check, type Gateway } from './check.js';

const client = 'Anthropic SDK';
const open = ({ url, key }: Gateway, maxRetries = 2): Anthropic =>
  new Anthropic({ baseURL: `${url}/anthropic`, apiKey: key, maxRetries });
const tools = [{ name: 'get_weather', description: 'weather', input_schema: WEATHER_SCHEMA }];
const ask = [{ role: 'user' as const, content: 'What is the weather in Bern?' }];
const textOf = (message: Anthropic.Message): string =>
  message.content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('');

/** What applications do with the official Anthropic SDK. */
export const anthropicSdkChecks: readonly Check[] = [
  {
    client,
    name: 'message',
    async run(gateway) {
      const message = await open(gateway).messages.create({
        model: 'demo/echo',
        max_tokens: 100,
        messages: [{ role: 'user', content: 'hello' }],
      });
      expectEcho(textOf(message), 'hello');
      assert.ok(message.usage.input_tokens > 0);
    },
  },
  {
    client,
    name: 'the key as authToken as well as apiKey',
    async run({ url, key }) {
      const byToken = new Anthropic({ baseURL: `${url}/anthropic`, authToken: key, apiKey: null });
      expectEcho(
        textOf(
          await byToken.messages.create({
            model: 'demo/echo',
            max_tokens: 100,
            messages: [{ role: 'user', content: 'hi' }],
          }),
        ),
        'hi',
      );
    },
  },
  {
    client,
    name: 'streamed message',
    async run(gateway) {
      const stream = open(gateway).messages.stream({
        model: 'demo/echo',
        max_tokens: 100,
        messages: [{ role: 'user', content: 'one two' }],
      });
      expectEcho(textOf(await stream.finalMessage()), 'one two');
    },
  },
  {
    client,
    name: 'tool round trip, plain and streamed',
    async run(gateway) {
      const first = await open(gateway).messages.create({ model: 'demo/tool', max_tokens: 200, messages: ask, tools });
      assert.equal(first.stop_reason, 'tool_use');
      const call = first.content.find((block) => block.type === 'tool_use');
      assert.ok(call?.type === 'tool_use' && call.name === 'get_weather');
      const second = await open(gateway).messages.create({
        model: 'demo/tool',
        max_tokens: 200,
        tools,
        messages: [
          ...ask,
          { role: 'assistant', content: first.content as Anthropic.ContentBlockParam[] },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'sunny' }] },
        ],
      });
      assert.equal(second.stop_reason, 'end_turn');
      const streamed = await open(gateway)
        .messages.stream({ model: 'demo/tool', max_tokens: 200, messages: ask, tools })
        .finalMessage();
      assert.ok(streamed.content.some((block) => block.type === 'tool_use'));
    },
  },
  {
    client,
    name: 'count_tokens and models',
    async run(gateway) {
      const counted = await open(gateway).messages.countTokens({ model: 'demo/echo', messages: ask });
      assert.ok(counted.input_tokens > 0);
      const ids: string[] = [];
      for await (const model of open(gateway).models.list()) ids.push(model.id);
      assert.ok(ids.includes('demo/echo'));
      assert.equal((await open(gateway).models.retrieve('demo/echo')).id, 'demo/echo');
    },
  },
  {
    client,
    name: 'errors: ours are not repeated, the provider’s keep status and type, a broken stream throws',
    async run(gateway) {
      const started = performance.now();
      await assert.rejects(
        open({ ...gateway, key: 'sk-sf-wrong' }).messages.create({ model: 'demo/echo', max_tokens: 5, messages: ask }),
        (error) => error instanceof APIError && error.status === 401,
      );
      await assert.rejects(
        open(gateway).messages.create({ model: 'nothing', max_tokens: 5, messages: ask }),
        (error) => error instanceof APIError && error.status === 403,
      );
      assert.ok(performance.now() - started < 1500);
      await assert.rejects(
        open(gateway, 0).messages.create({ model: 'demo/error-529', max_tokens: 5, messages: ask }),
        (error) => error instanceof APIError && error.status === 529 && /overloaded_error/.test(error.message),
      );
      for (const model of ['demo/cut', 'demo/cut-clean']) {
        await assert.rejects(
          open(gateway, 0).messages.stream({ model, max_tokens: 200, messages: ask }).finalMessage(),
          /broke off/,
        );
      }
    },
  },
];
