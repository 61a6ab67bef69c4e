import assert from 'node:assert/strict';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { embedMany, generateText, jsonSchema, stepCountIs, streamText, tool, type LanguageModel } from 'ai';
import { expectEcho, WEATHER_SCHEMA, type Check, type Gateway } from './check.js';

const client = 'Vercel AI SDK';
const openai = ({ url, key }: Gateway) => createOpenAI({ baseURL: `${url}/v1`, apiKey: key });
const anthropic = ({ url, key }: Gateway) => createAnthropic({ baseURL: `${url}/anthropic/v1`, apiKey: key });

/** The same model through the three wire formats the SDK has. */
const formats = (gateway: Gateway, model: string): readonly LanguageModel[] => [
  openai(gateway)(model),
  openai(gateway).chat(model),
  anthropic(gateway)(model),
];

/** What applications do with Vercel's AI SDK. */
export const aiSdkChecks: readonly Check[] = [
  {
    client,
    name: 'generateText and streamText over Responses, chat and Messages',
    async run(gateway) {
      for (const model of formats(gateway, 'demo/echo')) {
        expectEcho((await generateText({ model, prompt: 'hello' })).text, 'hello');
        const streamed = streamText({ model, prompt: 'streamed words' });
        let text = '';
        for await (const part of streamed.textStream) text += part;
        expectEcho(text, 'streamed words');
        assert.equal(await streamed.finishReason, 'stop');
        assert.ok(((await streamed.usage).outputTokens ?? 0) > 0);
      }
    },
  },
  {
    client,
    name: 'a tool is called and its result used, over all three',
    async run(gateway) {
      for (const model of formats(gateway, 'demo/tool')) {
        let called = 0;
        const result = await generateText({
          model,
          prompt: 'weather?',
          stopWhen: stepCountIs(3),
          tools: {
            get_weather: tool({
              description: 'weather',
              inputSchema: jsonSchema<{ city: string }>(WEATHER_SCHEMA),
              execute: async () => {
                called++;
                return 'sunny';
              },
            }),
          },
        });
        assert.equal(called, 1);
        assert.equal(result.finishReason, 'stop');
      }
    },
  },
  {
    client,
    name: 'embedMany',
    async run(gateway) {
      const { embeddings } = await embedMany({
        model: openai(gateway).textEmbeddingModel('demo/embed'),
        values: ['a', 'b', 'c'],
      });
      assert.equal(embeddings.length, 3);
    },
  },
];
