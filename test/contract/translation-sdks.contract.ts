import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Anthropic from '@anthropic-ai/sdk';
import type { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import {
  encode,
  golden,
  SURFACES,
  translation,
  type GoldenCase,
  type SurfaceName,
} from '#test/fakes/golden-translations.js';
import { googleSdk } from '#test/fakes/google-sdk.js';

/** What a client reads of an answer, in one shape for all SDKs. */
interface Read {
  text: string;
  calls: { name: string; args: unknown }[];
  finish: string | null;
  outputTokens: number;
}

let server: Server;
let baseUrl: string;
/** What the server sends next. */
let next: { type: string; body: Buffer; status: number };

beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume();
    response.writeHead(next.status, { 'content-type': next.type });
    // Small pieces, so that the SDK's parser meets cuts too.
    for (let at = 0; at < next.body.length; at += 37) response.write(next.body.subarray(at, at + 37));
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const openai = (): OpenAI => new OpenAI({ apiKey: 'k', baseURL: `${baseUrl}/v1`, maxRetries: 0 });
const anthropic = (): Anthropic => new Anthropic({ apiKey: 'k', baseURL: baseUrl, maxRetries: 0 });
const google = (): GoogleGenAI => googleSdk(baseUrl, 'k');

const messages = [{ role: 'user' as const, content: 'hi' }];
const parseArgs = (text: string): unknown => (text === '' ? {} : JSON.parse(text));

const readStream: Record<SurfaceName, () => Promise<Read>> = {
  async 'openai/chat'() {
    const stream = openai().chat.completions.stream({ model: 'm', messages, stream_options: { include_usage: true } });
    const { choices, usage } = await stream.finalChatCompletion();
    const choice = choices[0]!;
    return {
      text: (choice.message.content ?? '') + (choice.message.refusal ?? ''),
      calls: (choice.message.tool_calls ?? []).map((call) =>
        call.type === 'function'
          ? { name: call.function.name, args: parseArgs(call.function.arguments) }
          : { name: call.custom.name, args: call.custom.input },
      ),
      finish: choice.finish_reason,
      outputTokens: usage?.completion_tokens ?? 0,
    };
  },
  async 'openai/responses'() {
    const response = await openai().responses.stream({ model: 'm', input: 'hi' }).finalResponse();
    const refusals = response.output.flatMap((item) =>
      item.type === 'message' ? item.content.map((part) => (part.type === 'refusal' ? part.refusal : '')) : [],
    );
    return {
      text: response.output_text + refusals.join(''),
      calls: response.output.flatMap((item) =>
        item.type === 'function_call' ? [{ name: item.name, args: parseArgs(item.arguments) }] : [],
      ),
      finish: response.incomplete_details?.reason ?? response.status ?? null,
      outputTokens: response.usage?.output_tokens ?? 0,
    };
  },
  async 'anthropic/messages'() {
    const message = await anthropic().messages.stream({ model: 'm', max_tokens: 9, messages }).finalMessage();
    return {
      text: message.content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
      calls: message.content.flatMap((block) =>
        block.type === 'tool_use' ? [{ name: block.name, args: block.input }] : [],
      ),
      finish: message.stop_reason,
      outputTokens: message.usage.output_tokens,
    };
  },
  async 'gemini/generate'() {
    const read: Read = { text: '', calls: [], finish: null, outputTokens: 0 };
    for await (const chunk of await google().models.generateContentStream({ model: 'm', contents: 'hi' })) {
      const candidate = chunk.candidates?.[0];
      for (const part of candidate?.content?.parts ?? []) {
        if (part.thought !== true) read.text += part.text ?? '';
        if (part.functionCall) read.calls.push({ name: part.functionCall.name ?? '', args: part.functionCall.args });
      }
      read.finish = candidate?.finishReason ?? read.finish;
      const usage = chunk.usageMetadata;
      if (usage) read.outputTokens = (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0);
    }
    return read;
  },
};

/** What the recorded events say, read here without the library: all text, the calls by name, and whether they end well. */
const WORDS: Readonly<Record<string, string>> = {
  'text, usage on the last chunk': 'Grüße 👋.',
  'text; sparse usage at the end': 'Grüße 👋.',
  'text; usage grows': 'Grüße 👋.',
  text: 'Grüße 👋.',
};
const ENDS_BADLY = /error|cut in the middle|failed|malformed/;

function send(provider: SurfaceName, caller: SurfaceName, one: GoldenCase): void {
  const stream = translation(caller, provider).stream();
  const body = Buffer.concat([stream.push(encode(provider, one.in as unknown[])) ?? Buffer.alloc(0), stream.end()]);
  next = { status: 200, type: 'text/event-stream', body };
}

const streams = SURFACES.flatMap((provider) =>
  golden(provider, 'streams').flatMap((one) =>
    SURFACES.filter((caller) => caller !== provider).map(
      (caller) => [`${provider} → ${caller}: ${one.name}`, provider, caller, one] as const,
    ),
  ),
);

describe('LLM-7: the official SDKs read every translated stream', () => {
  it.each(streams.filter(([, , , one]) => !ENDS_BADLY.test(one.name)))('%s', async (_name, provider, caller, one) => {
    send(provider, caller, one);
    const read = await readStream[caller]();
    expect(read.finish).not.toBeNull();
    if (WORDS[one.name] !== undefined) {
      expect(read.text).toBe(WORDS[one.name]);
      expect(read.outputTokens).toBeGreaterThan(0);
    }
    if (!one.name.includes('parallel calls')) return;
    expect(read.calls).toEqual([
      { name: 'get_weather', args: { city: 'Zürich' } },
      { name: 'ping', args: {} },
    ]);
    expect(['tool_calls', 'tool_use', 'completed', 'STOP']).toContain(read.finish);
  });

  it.each(streams.filter(([, , , one]) => ENDS_BADLY.test(one.name)))(
    'LLM-8: a broken stream is an error for the SDK, never a silent end: %s',
    async (_name, provider, caller, one) => {
      send(provider, caller, one);
      await expect(readStream[caller]()).rejects.toThrow(
        /Overloaded|overloaded|had an error|Malformed function call|The model failed|broke off its answer/,
      );
    },
  );
});

describe('LLM-7: the official SDKs read every translated error', () => {
  const errors = SURFACES.flatMap((provider) =>
    golden(provider, 'errors').flatMap((one) =>
      SURFACES.filter((caller) => caller !== provider).map(
        (caller) => [`${provider} → ${caller}: ${one.name}`, provider, caller, one] as const,
      ),
    ),
  );
  it.each(errors)('%s', async (_name, provider, caller, one) => {
    const sent = Buffer.from(typeof one.in === 'string' ? one.in : JSON.stringify(one.in));
    const error = translation(caller, provider).error(one.status as number, sent);
    next = { status: error.status, type: 'application/json', body: error.body };
    const expected = one.out[caller] as { body: { error: { message: string } } };
    await expect(readStream[caller]()).rejects.toMatchObject({
      status: error.status,
      message: expect.stringContaining(JSON.stringify(expected.body.error.message).slice(1, -1)) as unknown,
    });
  });
});
