import Anthropic, { APIError } from '@anthropic-ai/sdk';
import type { MessageStream } from '@anthropic-ai/sdk/lib/MessageStream';
import { chunkFrame, exceptionFrame, framesOf } from '#test/fakes/clouds/event-frames.js';
import { awsError, eventStream } from '#test/fakes/clouds/fake-bedrock.js';
import { everyBytes } from '#test/fakes/upstream/behaviour.js';
import { recordings } from '#test/fakes/upstream/recordings.js';
import { eventually } from '../harness.js';
import { logOf, post } from '../proxy/proxied-product.js';
import { CLAUDE, startCloudProduct, type CloudProduct } from './cloud-product.js';

let running: CloudProduct;
let client: Anthropic;
beforeAll(async () => {
  running = await startCloudProduct();
  const { url, key } = running.product;
  client = new Anthropic({ baseURL: `${url}/anthropic`, apiKey: key, maxRetries: 0 });
}, 120_000);
afterAll(() => running?.stop(), 60_000);
beforeEach(() => {
  running.bedrock.reset();
  running.sts.reset();
});

const messages = [{ role: 'user' as const, content: 'Wie ist das Wetter in Zürich?' }];
const tools = [
  { name: 'get_weather', input_schema: { type: 'object' as const, properties: { city: { type: 'string' } } } },
];
const ask = { model: 'claude-bedrock', max_tokens: 1000, messages, tools };
const sentBody = (): Record<string, unknown> => running.bedrock.requests.at(-1)!.json() as Record<string, unknown>;
const idOf = async (stream: MessageStream): Promise<string> =>
  (await stream.withResponse()).response.headers.get('x-request-id') ?? '';
const failure = async (call: Promise<unknown>): Promise<APIError> => {
  const error: unknown = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof APIError)) throw new Error('no API error', { cause: error });
  return error;
};

describe('the Anthropic SDK calls Claude on Bedrock', () => {
  it('LLM-5: a message with a tool call; signature, path and body are what AWS wants; it is priced and logged', async () => {
    const { data, response } = await client.messages.create(ask).withResponse();
    expect(data.content.map((block) => block.type)).toEqual(['thinking', 'text', 'tool_use']);
    expect(data.content[2]).toMatchObject({ name: 'get_weather', input: { city: 'Zürich' } });
    expect(data.stop_reason).toBe('tool_use');
    const request = running.bedrock.requests.at(-1)!;
    expect(request.target).toBe(`/model/${encodeURIComponent(CLAUDE)}/invoke`);
    expect(sentBody()).toEqual({ anthropic_version: 'bedrock-2023-05-31', max_tokens: 1000, messages, tools });
    const row = await logOf(running.product, response.headers.get('x-request-id')!);
    const { usage } = recordings.messages;
    expect(row).toMatchObject({
      status: 200,
      provider: 'bedrock',
      model: CLAUDE,
      inputTokens: usage!.inputTokens,
      outputTokens: usage!.outputTokens,
    });
    expect(Number(row.costUsd)).toBeGreaterThan(0);
  });

  it('LLM-8: a stream: text, thinking, tool input and usage come as from Anthropic itself', async () => {
    const stream = client.messages.stream({ ...ask });
    const events: string[] = [];
    stream.on('streamEvent', (event) => void events.push(event.type));
    const message = await stream.finalMessage();
    expect(message.content[2]).toMatchObject({ type: 'tool_use', input: { city: 'Zürich' } });
    expect(message.usage.output_tokens).toBe(412);
    expect(events.filter((type) => type === 'message_stop')).toHaveLength(1);
    expect(running.bedrock.requests.at(-1)!.target).toMatch(/\/invoke-with-response-stream$/);
    expect(sentBody()).not.toHaveProperty('stream');
    const row = await logOf(running.product, await idOf(stream));
    expect(row).toMatchObject({ status: 200, error: null, inputTokens: recordings.messagesStream.usage!.inputTokens });
  });

  it('LLM-8: the bytes of the stream are those of the model’s events, cut at every byte on the way', async () => {
    const frames = recordings.messagesStream.frames;
    running.bedrock.respond('next', eventStream(everyBytes(Buffer.concat(framesOf(frames)), 61)));
    const answer = await post(running.product, '/anthropic/v1/messages', { ...ask, stream: true });
    expect(answer.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(await answer.text()).toBe(frames.join(''));
  });

  it('LLM-8: an event reaches the caller while the next one has not been sent', async () => {
    const [first, ...rest] = framesOf(recordings.messagesStream.frames) as [Buffer, ...Buffer[]];
    running.bedrock.respond('next', eventStream([first, { waitMs: 800 }, ...rest]));
    const startedMs = performance.now();
    const answer = await post(running.product, '/anthropic/v1/messages', { ...ask, stream: true });
    const reader = answer.body!.getReader();
    await reader.read();
    expect(performance.now() - startedMs).toBeLessThan(700);
    await reader.cancel();
  });

  it('LLM-5: betas move into the body; unknown ones and half features are left out and named', async () => {
    const { response } = await client.beta.messages
      .create({
        ...ask,
        betas: ['context-1m-2025-08-07', 'structured-outputs-2025-11-13', 'claude-code-20250219'],
        output_config: { format: { type: 'json_schema', schema: { type: 'object' } } },
      })
      .withResponse();
    expect(sentBody()).toMatchObject({ anthropic_beta: ['context-1m-2025-08-07'] });
    expect(sentBody()).not.toHaveProperty('output_config');
    expect(response.headers.get('x-smartflow-dropped')?.split(/,|%2C/).sort()).toEqual(
      ['anthropic-beta:claude-code-20250219', 'anthropic-beta:structured-outputs-2025-11-13', 'output_config'].sort(),
    );
    expect(running.bedrock.requests.at(-1)!.target).not.toContain('beta=');
  });

  it('LLM-6: [1m] of Claude Code becomes the beta in the body', async () => {
    await client.messages.create({ ...ask, model: 'claude-bedrock[1m]' });
    expect(sentBody()).toMatchObject({ anthropic_beta: ['context-1m-2025-08-07'] });
  });

  it('LLM-5: an inference profile’s ARN as the model, by a Bedrock API key', async () => {
    const arn = 'arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/abc123';
    await client.messages.create({ ...ask, model: `bedrock_key/${arn}` });
    await client.messages.create({ ...ask, model: `bedrock/${arn}` });
    expect(running.bedrock.requests.map(({ target }) => target)).toEqual(
      Array.from({ length: 2 }, () => `/model/${encodeURIComponent(arn)}/invoke`),
    );
  });

  it('LLM-5: a role by web identity: its keys are fetched once and sign every call', async () => {
    const calls = Array.from({ length: 5 }, () => client.messages.create({ ...ask, model: `bedrock_role/${CLAUDE}` }));
    await Promise.all(calls);
    expect(running.sts.requests.length).toBeLessThanOrEqual(1);
    expect(running.bedrock.requests.map((request) => request.header('authorization')?.includes('ASIAROLE'))).toEqual(
      Array.from({ length: 5 }, () => true),
    );
  });
});

describe('what goes wrong at Bedrock', () => {
  it.each([
    [429, 'ThrottlingException', 'rate_limit_error', 'Too many requests, please wait before trying again.'],
    [400, 'ValidationException', 'invalid_request_error', 'prompt is too long: 214315 tokens > 200000 maximum'],
    [403, 'ExpiredTokenException', 'permission_error', 'The security token included in the request is expired'],
    [503, 'ServiceUnavailableException', 'overloaded_error', 'Bedrock is unable to process your request.'],
    [424, 'ModelErrorException', 'invalid_request_error', 'The model returned an error'],
  ])(
    'LLM-9: %i %s has the shape of the dialect and its text word for word',
    async (status, exception, type, message) => {
      running.bedrock.respond('next', awsError(status, exception, message));
      const error = await failure(client.messages.create(ask));
      expect(error.status).toBe(status);
      expect(error.error).toEqual({ type: 'error', error: { type, message } });
    },
  );

  it('LLM-9: a wrong signature is refused by the check of the fake, and nothing secret comes back', async () => {
    const known = running.bedrock.keys.get('AKIDCONFIG')!;
    running.bedrock.keys.set('AKIDCONFIG', { ...known, secretAccessKey: 'another' });
    try {
      const error = await failure(client.messages.create(ask));
      expect(error.status).toBe(403);
      expect(error.message).toContain('Canonical String');
      expect(error.message).toContain('x-amz-security-token:[secret]');
    } finally {
      running.bedrock.keys.set('AKIDCONFIG', known);
    }
  });

  it('LLM-8: an exception in the middle of a stream becomes an error event', async () => {
    const begun = framesOf(recordings.messagesStream.frames.slice(0, 4));
    running.bedrock.respond('next', eventStream([...begun, exceptionFrame('throttlingException', 'Too many tokens')]));
    const stream = client.messages.stream(ask);
    const error = await failure(stream.finalMessage());
    expect(error.error).toEqual({ type: 'error', error: { type: 'rate_limit_error', message: 'Too many tokens' } });
    const row = await logOf(running.product, await idOf(stream));
    expect(row).toMatchObject({ error: 'upstream_failed', inputTokens: recordings.messagesStream.usage!.inputTokens });
  });

  const broken = (): Buffer => {
    const bytes = Buffer.from(chunkFrame('{"type":"content_block_stop","index":0}'));
    bytes[40] = (bytes[40] as number) ^ 1;
    return bytes;
  };

  it.each([
    ['with the last chunk of the answer', 'clean'],
    ['with more to come', 'hang'],
  ] as const)(
    'LLM-8: a malformed message %s ends the stream in an error event, and the usage seen is kept',
    async (_name, end) => {
      const begun = framesOf(recordings.messagesStream.frames.slice(0, 4));
      const after = end === 'hang' ? [{ waitMs: 5000 }] : [];
      running.bedrock.respond('next', eventStream([Buffer.concat([...begun, broken()]), ...after]));
      const stream = client.messages.stream(ask);
      const error = await failure(stream.finalMessage());
      expect(error.error).toMatchObject({
        error: { type: 'api_error', message: expect.stringMatching(/cannot be understood/) },
      });
      const row = await logOf(running.product, await idOf(stream));
      expect(row).toMatchObject({
        error: 'upstream_invalid',
        inputTokens: recordings.messagesStream.usage!.inputTokens,
      });
    },
  );

  it('LLM-8: a malformed first message is a proper 502: nothing had been sent', async () => {
    running.bedrock.respond('next', eventStream([broken()]));
    const error = await failure(client.messages.create({ ...ask, stream: true }));
    expect(error.status).toBe(502);
  });

  it.each([
    ['between two messages', (frames: Buffer[]) => Buffer.concat(frames)],
    ['inside a message', (frames: Buffer[]) => Buffer.concat(frames).subarray(0, -9)],
  ])('LLM-8: a stream cut %s ends in an error event', async (_name, bytesOf) => {
    for (const end of ['clean', 'cut'] as const) {
      running.bedrock.respond(
        'next',
        eventStream([bytesOf(framesOf(recordings.messagesStream.frames.slice(0, 6)))], end),
      );
      const error = await failure(client.messages.stream(ask).finalMessage());
      expect(error.error).toMatchObject({ error: { message: 'The model provider broke off its answer.' } });
    }
  });

  it('LLM-5: a role that cannot be taken: 502 at once, no call to Bedrock, and the log says why', async () => {
    const error = await failure(client.messages.create({ ...ask, model: `bedrock_lost/${CLAUDE}` }));
    expect(error.status).toBe(502);
    expect(error.error).toMatchObject({ error: { type: 'api_error', message: expect.stringMatching(/credentials/) } });
    expect(running.bedrock.requests).toHaveLength(0);
    await eventually('the reason in the log', 3000, () => (/ENOENT/.test(running.product.logs()) ? true : null));
  });

  it('LLM-5: operations Bedrock does not have are refused before any call', async () => {
    expect((await failure(client.messages.countTokens({ model: 'claude-bedrock', messages }))).status).toBe(400);
    const embed = await post(running.product, '/v1/embeddings', { model: 'claude-bedrock', input: 'hi' });
    expect(embed.status).toBe(400);
    expect(running.bedrock.requests).toHaveLength(0);
  });

  it('LLM-7: an OpenAI-shaped call reaches Claude on Bedrock', async () => {
    const chat = await post(running.product, '/v1/chat/completions', { model: 'claude-bedrock', messages });
    expect(chat.status).toBe(200);
    expect(await chat.json()).toMatchObject({
      object: 'chat.completion',
      choices: [{ message: { role: 'assistant' } }],
    });
    expect(running.bedrock.requests).toHaveLength(1);
  });

  it('LLM-5: a body that names betas wrongly is the caller’s mistake', async () => {
    const answer = await post(running.product, '/anthropic/v1/messages', { ...ask, anthropic_beta: 'one' });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      error: { message: expect.stringMatching(/anthropic_beta/) as string },
    });
  });
});
