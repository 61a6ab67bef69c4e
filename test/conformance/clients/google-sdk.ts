import assert from 'node:assert/strict';
import { GoogleGenAI } from '@google/genai';
import { expectEcho, type Check, type Gateway } from './check.js';

const client = 'Google GenAI SDK';
const open = ({ url, key }: Gateway): GoogleGenAI =>
  new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: `${url}/gemini` } });

/** What applications do with the official Google SDK on the native Gemini routes. */
export const googleSdkChecks: readonly Check[] = [
  {
    client,
    name: 'generateContent, streamed too, countTokens, embedContent',
    async run(gateway) {
      const { models } = open(gateway);
      const plain = await models.generateContent({ model: 'demo/echo', contents: 'hello' });
      expectEcho(plain.text, 'hello');
      assert.ok((plain.usageMetadata?.totalTokenCount ?? 0) > 0);
      let text = '';
      for await (const chunk of await models.generateContentStream({ model: 'demo/echo', contents: 'streamed words' }))
        text += chunk.text ?? '';
      expectEcho(text, 'streamed words');
      assert.ok(((await models.countTokens({ model: 'demo/echo', contents: 'hello' })).totalTokens ?? 0) > 0);
      assert.ok(
        ((await models.embedContent({ model: 'demo/embed', contents: 'hello' })).embeddings?.[0]?.values?.length ?? 0) >
          0,
      );
    },
  },
];
