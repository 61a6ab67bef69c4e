import OpenAI, { APIError, AzureOpenAI } from 'openai';
import { json, sse } from '#test/fakes/upstream/behaviour.js';
import { recordings } from '#test/fakes/upstream/recordings.js';
import { eventually } from '../harness.js';
import { logOf, post } from '../proxy/proxied-product.js';
import { startCloudProduct, type CloudProduct } from './cloud-product.js';

let running: CloudProduct;
let openai: OpenAI;
let azureClient: AzureOpenAI;
beforeAll(async () => {
  running = await startCloudProduct();
  const { url, key } = running.product;
  openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
  azureClient = new AzureOpenAI({ baseURL: `${url}/v1`, apiKey: key, apiVersion: '2024-10-21', maxRetries: 0 });
}, 120_000);
afterAll(() => running?.stop(), 60_000);
beforeEach(() => running.azure.reset());

const messages = [{ role: 'user' as const, content: 'Hello' }];
const tools = [{ type: 'function' as const, function: { name: 'get_weather', parameters: { type: 'object' } } }];
const modelCalls = (): string[] =>
  running.azure.requests.map(({ target }) => target).filter((target) => !target.includes('/oauth2/'));
const failure = async (call: Promise<unknown>): Promise<APIError> => {
  const error: unknown = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof APIError)) throw new Error('no API error', { cause: error });
  return error;
};

describe.each([
  ['v1 by Entra', 'azure-v1', '/openai/v1/chat/completions'],
  ['dated by key', 'azure-dated', '/openai/deployments/prod-gpt-5/chat/completions?api-version=2025-04-01-preview'],
  [
    'dated by Entra',
    'azure-dated-entra',
    '/openai/deployments/prod-gpt-5/chat/completions?api-version=2025-04-01-preview',
  ],
])('Azure OpenAI: %s', (_name, model, target) => {
  it.each([
    ['OpenAI', () => openai],
    ['AzureOpenAI', () => azureClient],
  ] as const)('LLM-5: the %s client: chat, tools, stream', async (_client, clientOf) => {
    const client: OpenAI = clientOf();
    const { data, response } = await client.chat.completions.create({ model, messages }).withResponse();
    expect(data.choices[0]?.message.content).toBeTruthy();
    const called = await client.chat.completions.create({ model, messages, tools });
    expect(called.choices[0]?.message.tool_calls?.[0]).toMatchObject({ type: 'function' });
    let text = '';
    const stream = await client.chat.completions.create({ model, messages, stream: true });
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).not.toBe('');
    expect(modelCalls()).toEqual([target, target, target]);
    const row = await logOf(running.product, response.headers.get('x-request-id')!);
    expect(row).toMatchObject({ status: 200, inputTokens: recordings.chat.usage!.inputTokens });
    // The caller's key and version are the gateway's: neither goes on.
    expect(
      running.azure.requests.some((request) => request.rawHeaders.flat().join().includes(running.product.key)),
    ).toBe(false);
  });
});

it('LLM-5: a model whose deployment has another name is priced as the model', async () => {
  const { response } = await openai.chat.completions.create({ model: 'azure-dated', messages }).withResponse();
  const row = await logOf(running.product, response.headers.get('x-request-id')!);
  expect(row.model).toBe('gpt-5');
  expect(Number(row.costUsd)).toBeGreaterThan(0);
});

it('LLM-5: tokens are fetched once per application and API, not per call', async () => {
  await Promise.all(Array.from({ length: 6 }, () => openai.chat.completions.create({ model: 'azure-v1', messages })));
  const { product } = running;
  await post(product, '/v1/chat/completions', { model: 'azure_v1/gpt-5', messages });
  expect(running.azure.requests.length - modelCalls().length).toBeLessThanOrEqual(1);
  expect([...running.azure.tokens.values()].filter((scope) => scope === 'https://ai.azure.com/.default')).toHaveLength(
    1,
  );
});

it('LLM-5: an API too old for stream_options is not asked for usage', async () => {
  const stream = await openai.chat.completions.create({ model: 'azure-old', messages, stream: true });
  for await (const _chunk of stream);
  expect(running.azure.requests.at(-1)!.json()).not.toHaveProperty('stream_options');
});

it('LLM-8: chunks of the content filter (no choices, no usage) reach the caller; the usage chunk we asked for does not', async () => {
  const filter = 'data: {"id":"","choices":[],"prompt_filter_results":[{"prompt_index":0}]}\n\n';
  const chunk = 'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n';
  const usage = 'data: {"id":"c","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}\n\n';
  running.azure.respond({ path: '/openai/v1/chat/completions' }, sse([filter, chunk, usage, 'data: [DONE]\n\n']), {
    times: 1,
  });
  const answer = await post(running.product, '/v1/chat/completions', { model: 'azure-v1', messages, stream: true });
  expect(await answer.text()).toBe(`${filter}${chunk}data: [DONE]\n\n`);
  expect(await logOf(running.product, answer.headers.get('x-request-id')!)).toMatchObject({
    inputTokens: 7,
    outputTokens: 3,
  });
});

describe('what goes wrong at Azure', () => {
  it('LLM-9: throttling comes back as it is, with its headers', async () => {
    const body = { error: { code: '429', message: 'Requests have exceeded the token rate limit.' } };
    running.azure.respond(
      { path: '/openai/v1/chat/completions' },
      json(body, { status: 429, headers: { 'retry-after': '7' } }),
      { times: 1 },
    );
    const error = await failure(openai.chat.completions.create({ model: 'azure-v1', messages }));
    expect(error).toMatchObject({ status: 429, code: '429' });
    expect(error.headers?.get('retry-after')).toBe('7');
  });

  it('LLM-9: an unknown deployment is the provider’s 404', async () => {
    expect(await failure(openai.chat.completions.create({ model: 'azure_v1/nothing', messages }))).toMatchObject({
      status: 404,
      code: 'DeploymentNotFound',
    });
  });

  it('LLM-5: an application Entra refuses: 502, no call to Azure, and a pause before Entra is asked again', async () => {
    const calls = Array.from({ length: 5 }, () =>
      failure(openai.chat.completions.create({ model: 'azure_wrong/gpt-5', messages })),
    );
    for (const error of await Promise.all(calls))
      expect(error).toMatchObject({ status: 502, code: 'upstream_credentials' });
    expect(modelCalls()).toEqual([]);
    expect(running.azure.requests.length).toBeLessThanOrEqual(2);
    await eventually('the reason in the log', 3000, () =>
      running.product.logs().includes('invalid_client') ? true : null,
    );
  });

  it.each([
    ['/v1/deployments/azure-v1/chat/completions', { model: 'azure-dated', messages }, 400],
    ['/v1/deployments/azure-v1/nothing', { model: 'azure-v1', messages }, 404],
    ['/v1/deployments//chat/completions', { model: 'azure-v1', messages }, 400],
    ['/v1/deployments/chat/completions', { model: 'azure-v1', messages }, 400],
  ])('LLM-9: %s is refused before any call', async (path, body, status) => {
    const answer = await post(running.product, path, body);
    expect([400, 404]).toContain(answer.status);
    if (status === 404) expect(answer.status).toBe(404);
    expect(await answer.json()).toHaveProperty('error.message');
    expect(running.azure.requests).toHaveLength(0);
  });
});
