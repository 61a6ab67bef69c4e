import http from 'node:http';
import Anthropic, { APIError } from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import { Agent, setGlobalDispatcher } from 'undici';
import { googleError } from '#test/fakes/clouds/fake-vertex.js';
import { hang, json } from '#test/fakes/upstream/behaviour.js';
import { recordings, replay } from '#test/fakes/upstream/recordings.js';
import { logOf, post } from '../proxy/proxied-product.js';
import { startCloudProduct, type CloudProduct } from './cloud-product.js';

let running: CloudProduct;
let anthropic: Anthropic;
let google: GoogleGenAI;
// The Google SDK takes the dispatcher from the globals, of which a test has its own.
const dispatcher = new Agent();
beforeAll(async () => {
  setGlobalDispatcher(dispatcher);
  running = await startCloudProduct();
  const { url, key } = running.product;
  anthropic = new Anthropic({ baseURL: `${url}/anthropic`, apiKey: key, maxRetries: 0 });
  google = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: `${url}/gemini` } });
}, 120_000);
afterAll(async () => {
  await dispatcher.destroy();
  await running?.stop();
}, 60_000);
beforeEach(() => running.vertex.reset());

const messages = [{ role: 'user' as const, content: 'Hello' }];
const tools = [{ name: 'get_weather', input_schema: { type: 'object' as const } }];
const ask = { model: 'claude-vertex', max_tokens: 100, messages, tools };
const MODELS = '/v1/projects/test-project/locations/europe-west1/publishers';
const modelCalls = () => running.vertex.requests.filter(({ target }) => target !== '/token');
const failure = async (call: Promise<unknown>): Promise<APIError> => {
  const error: unknown = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof APIError)) throw new Error('no API error', { cause: error });
  return error;
};

describe('the Anthropic SDK calls Claude on Vertex', () => {
  it('LLM-5: a message with a tool call', async () => {
    const { data, response } = await anthropic.messages.create(ask).withResponse();
    expect(data.content[2]).toMatchObject({ type: 'tool_use', input: { city: 'Zürich' } });
    const request = modelCalls().at(-1)!;
    expect(request.target).toBe(`${MODELS}/anthropic/models/claude-opus-5%4020260801:rawPredict`);
    expect(request.json()).toEqual({ anthropic_version: 'vertex-2023-10-16', max_tokens: 100, messages, tools });
    const row = await logOf(running.product, response.headers.get('x-request-id')!);
    expect(row).toMatchObject({
      status: 200,
      provider: 'vertex',
      outputTokens: recordings.messages.usage!.outputTokens,
    });
    expect(Number(row.costUsd)).toBeGreaterThan(0);
  });

  it('LLM-8: a stream, byte for byte', async () => {
    const message = await anthropic.messages.stream(ask).finalMessage();
    expect(message.content[2]).toMatchObject({ type: 'tool_use', input: { city: 'Zürich' } });
    expect(modelCalls().at(-1)!.target).toMatch(/:streamRawPredict$/);
    const answer = await post(running.product, '/anthropic/v1/messages?beta=true', { ...ask, stream: true });
    expect(await answer.text()).toBe(recordings.messagesStream.frames.join(''));
  });

  it('LLM-5: tokens are counted', async () => {
    expect((await anthropic.messages.countTokens({ model: 'claude-vertex', messages })).input_tokens).toBe(2095);
    expect(modelCalls().at(-1)!.json()).toMatchObject({ model: 'claude-opus-5@20260801' });
  });

  it('LLM-5: known betas go on in the header, others are named', async () => {
    const betas = ['web-search-2025-03-05', 'mcp-client-2025-11-20'];
    const { response } = await anthropic.beta.messages
      .create({ ...ask, betas, mcp_servers: [{ type: 'url', name: 'm', url: 'https://m' }] })
      .withResponse();
    const request = modelCalls().at(-1)!;
    expect(request.header('anthropic-beta')).toBe('web-search-2025-03-05');
    expect(request.json()).not.toHaveProperty('mcp_servers');
    expect(decodeURIComponent(response.headers.get('x-smartflow-dropped')!)).toBe(
      'anthropic-beta:mcp-client-2025-11-20,mcp_servers',
    );
  });

  it.each([
    [429, 'RESOURCE_EXHAUSTED', 'rate_limit_error'],
    [403, 'PERMISSION_DENIED', 'permission_error'],
    [400, 'INVALID_ARGUMENT', 'invalid_request_error'],
    [503, 'UNAVAILABLE', 'overloaded_error'],
  ])('LLM-9: %i %s of Google has the shape of the dialect', async (status, reason, type) => {
    running.vertex.respond({ path: /rawPredict$/ }, googleError(status, reason, 'Quota exceeded for x'), { times: 1 });
    const error = await failure(anthropic.messages.create(ask));
    expect(error.status).toBe(status);
    expect(error.error).toEqual({ type: 'error', error: { type, message: 'Quota exceeded for x' } });
  });

  it('LLM-9: an error of the model itself comes back byte for byte', async () => {
    const body = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' }, request_id: 'r' };
    running.vertex.respond({ path: /rawPredict$/ }, json(body, { status: 529 }), { times: 1 });
    const error = await failure(anthropic.messages.create(ask));
    expect([error.status, error.error]).toEqual([529, body]);
  });
});

describe('the Google SDK calls Gemini on Vertex', () => {
  const contents = [{ role: 'user', parts: [{ text: 'Hello' }] }];

  it('LLM-5: generate, tools, count, stream', async () => {
    const answer = await google.models.generateContent({ model: 'gemini-vertex', contents });
    expect(answer.text).toBeTruthy();
    const functionDeclarations = [{ name: 'get_weather', parametersJsonSchema: { type: 'object' } }];
    const called = await google.models.generateContent({
      model: 'gemini-vertex',
      contents,
      config: { tools: [{ functionDeclarations }] },
    });
    expect(called.functionCalls?.[0]?.name).toBeTruthy();
    expect((await google.models.countTokens({ model: 'gemini-vertex', contents })).totalTokens).toBeGreaterThan(0);
    let text = '';
    for await (const chunk of await google.models.generateContentStream({ model: 'gemini-vertex', contents }))
      text += chunk.text ?? '';
    expect(text).not.toBe('');
    expect(modelCalls().map(({ target }) => target)).toEqual([
      `${MODELS}/google/models/gemini-2.5-pro:generateContent`,
      `${MODELS}/google/models/gemini-2.5-pro:generateContent`,
      `${MODELS}/google/models/gemini-2.5-pro:countTokens`,
      `${MODELS}/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse`,
    ]);
    expect(modelCalls().every((request) => request.header('x-goog-api-key') === undefined)).toBe(true);
  });

  it('LLM-5, LLM-7: each model is called in its own dialect, and reached from every other', async () => {
    const idsAt = async (path: string): Promise<string> => {
      const answer = await fetch(running.product.url + path, {
        headers: { authorization: `Bearer ${running.product.key}` },
      });
      return answer.text();
    };
    for (const path of ['/anthropic/v1/models', '/gemini/v1beta/models']) {
      expect(await idsAt(path)).toMatch(/claude-vertex/);
      expect(await idsAt(path)).toMatch(/gemini-vertex/);
    }
    const answer = await post(running.product, '/anthropic/v1/messages', { ...ask, model: 'gemini-vertex' });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ type: 'message', role: 'assistant' });
    expect(modelCalls().at(-1)?.target).toBe(`${MODELS}/google/models/gemini-2.5-pro:generateContent`);
  });
});

describe('tokens of Google', () => {
  it('LLM-5: one is enough for many calls', async () => {
    await Promise.all(Array.from({ length: 8 }, () => anthropic.messages.create(ask)));
    expect(running.vertex.requests.length - modelCalls().length).toBeLessThanOrEqual(1);
  });

  it('LLM-5: while the token service hangs, calls with a token go on', async () => {
    await anthropic.messages.create(ask);
    running.vertex.respond({ path: '/token' }, hang);
    await anthropic.messages.create(ask);
    expect(modelCalls()).toHaveLength(2);
  });

  it('LLM-8: a caller that leaves ends the call at Vertex', async () => {
    running.vertex.respond({ path: /streamRawPredict$/ }, replay(recordings.messagesStream, { gapMs: 300 }), {
      times: 1,
    });
    const { url, key } = running.product;
    const headers = { 'x-api-key': key, 'content-type': 'application/json' };
    const request = http.request(`${url}/anthropic/v1/messages`, { method: 'POST', headers });
    request.on('error', () => {});
    request.on('response', (answer) => answer.once('data', () => request.destroy()));
    request.end(JSON.stringify({ ...ask, stream: true }));
    await running.vertex.waitForRequest(1);
    expect(await modelCalls().at(-1)!.closedByClient).toBe(true);
  });
});
