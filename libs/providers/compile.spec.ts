import type { CloudSettings, ProviderConfig } from '#libs/platform/config.js';
import { Secret } from '#libs/platform/secret.js';
import { compileProvider } from './compile.js';
import type { Provider } from './provider.js';

function provider(
  type: ProviderConfig['type'],
  baseUrl: string,
  cloud?: CloudSettings,
  more: Partial<ProviderConfig> = {},
): Provider {
  const config: ProviderConfig = {
    name: type,
    type,
    baseUrl,
    apiKey: null,
    apiVersion: null,
    streamUsage: true,
    defaultTier: null,
    clientGone: { action: 'cancel', maxBytes: 0, maxMs: 0 },
    headers: {},
    models: [],
    timeouts: { connectMs: 1, firstByteMs: 1, idleMs: 1, totalMs: 1 },
    ...(cloud === undefined ? {} : { cloud }),
    ...more,
  };
  return compileProvider(config, null)!;
}
const azure = (deployments: [string, string][] = []): CloudSettings => ({
  kind: 'azure',
  deployments: new Map(deployments),
  entra: null,
});
const bedrock: CloudSettings = {
  kind: 'bedrock',
  region: 'eu-central-1',
  key: { accessKeyId: 'A', secretAccessKey: new Secret('secret-secret'), sessionToken: new Secret('token-token') },
  webIdentity: null,
  betas: [],
};
const vertex: CloudSettings = {
  kind: 'vertex',
  project: 'p',
  location: 'europe-west1',
  serviceAccount: null,
  betas: [],
};

describe("OpenAI's two APIs", () => {
  const local = { responsesOnly: ['deep-*'], chatOnly: ['*'] };
  it.each<[string, Provider, boolean, boolean]>([
    ['gpt-5.5', provider('openai', 'https://api.openai.com/v1'), true, true],
    ['gpt-5.1-codex-max', provider('openai', 'https://api.openai.com/v1'), false, true],
    ['o3-pro-2025-06-10', provider('openai', 'https://api.openai.com/v1'), false, true],
    ['gpt-5-search-api', provider('openai', 'https://api.openai.com/v1'), true, false],
    ['gpt-5-codex', provider('azure-openai', 'https://r.openai.azure.com', azure()), false, true],
    ['gpt-5-codex', provider('openai-compatible', 'https://x.example/v1'), true, true],
    ['qwen', provider('openai-compatible', 'https://x.example/v1', undefined, local), true, false],
    ['deep-1', provider('openai-compatible', 'https://x.example/v1', undefined, local), false, true],
  ])('LLM-7: %s', (model, { has }, chat, responses) => {
    expect([has('chat', model), has('responses', model), has('embeddings', model)]).toEqual([chat, responses, true]);
  });
});

describe('paths', () => {
  const dated = { apiVersion: '2025-04-01-preview' };
  it.each([
    ['chat', provider('azure-openai', 'https://r.openai.azure.com', azure()), '/openai/v1/chat/completions'],
    ['responses', provider('azure-openai', 'https://r.openai.azure.com/openai/v1', azure()), '/openai/v1/responses'],
    [
      'chat',
      provider('azure-openai', 'https://r.openai.azure.com', azure([['gpt-5', 'prod']]), dated),
      '/openai/deployments/prod/chat/completions?api-version=2025-04-01-preview',
    ],
    [
      'embeddings',
      provider('azure-openai', 'https://r.openai.azure.com/openai', azure(), dated),
      '/openai/deployments/gpt-5/embeddings?api-version=2025-04-01-preview',
    ],
    [
      'responses',
      provider('azure-openai', 'https://r.openai.azure.com', azure(), dated),
      '/openai/responses?api-version=2025-04-01-preview',
    ],
    ['messages', provider('azure-openai', 'https://r.openai.azure.com', azure()), null],
  ] as const)('LLM-5: Azure: %s', (operation, of, path) => {
    expect(of.pathFor(operation, 'gpt-5', '')).toBe(path);
  });

  it('LLM-5: Bedrock: the model in the path, streams by a path of their own, no query', () => {
    const of = provider('bedrock', 'https://bedrock-runtime.eu-central-1.amazonaws.com', bedrock);
    const model = 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0';
    expect(of.pathFor('messages', model, 'beta=true')).toBe(
      '/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke',
    );
    expect(of.pathFor('messages', model, '', true)).toMatch(/%3A0\/invoke-with-response-stream$/);
    expect(of.pathFor('count_tokens', model, '')).toBeNull();
    expect(of.pathFor('chat', model, '')).toBeNull();
    expect(of.pathFor('messages', '../a/b', '')).toBe('/model/..%2Fa%2Fb/invoke');
  });

  it('LLM-5: Vertex: the publisher by the model, queries of Gemini calls go on', () => {
    const of = provider('vertex', 'https://europe-west1-aiplatform.googleapis.com', vertex);
    const base = '/v1/projects/p/locations/europe-west1/publishers';
    expect(of.pathFor('stream_generate', 'gemini-2.5-pro', 'alt=sse')).toBe(
      `${base}/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse`,
    );
    expect(of.pathFor('messages', 'claude-opus-5@20260801', 'beta=true', true)).toBe(
      `${base}/anthropic/models/claude-opus-5%4020260801:streamRawPredict`,
    );
    expect(of.pathFor('messages', 'claude-opus-5', '')).toBe(`${base}/anthropic/models/claude-opus-5:rawPredict`);
    expect(of.pathFor('count_tokens', 'claude-opus-5', '')).toBe(`${base}/anthropic/models/count-tokens:rawPredict`);
    expect(of.pathFor('messages', 'gemini-2.5-pro', '')).toBeNull();
    expect(of.pathFor('generate', 'claude-opus-5', '')).toBeNull();
    expect([of.speaks('anthropic', 'claude-opus-5'), of.speaks('gemini', 'claude-opus-5')]).toEqual([true, false]);
    expect([
      of.speaks('anthropic', 'gemini-3'),
      of.speaks('gemini', 'gemini-3'),
      of.speaks('openai', 'gemini-3'),
    ]).toEqual([false, true, false]);
  });
});

describe('adaptation', () => {
  const call = {
    operation: 'messages',
    model: 'm',
    stream: true,
    body: Buffer.from('{"model":"m","stream":true}'),
  } as const;

  it('LLM-5: Azure v1 gets the deployment in place of the model, and only where they differ', () => {
    const { adaptation } = provider('azure-openai', 'https://r.example', azure([['gpt-5', 'prod-"5"']]));
    const body = Buffer.from('{"x":1, "model" : "gpt-5","stream":true}');
    const adapted = adaptation!.adapt({ ...call, operation: 'chat', model: 'gpt-5', headers: ['a', 'b'], body });
    expect(adapted.body.toString()).toBe('{"x":1, "model":"prod-\\"5\\"","stream":true}');
    expect(adaptation!.adapt({ ...call, model: 'other', headers: [], body }).body).toBe(body);
    expect(provider('azure-openai', 'https://r.example', azure()).adaptation).toBeNull();
  });

  it('LLM-5: Bedrock: no header of another API goes on, and none by which a caller could steer AWS', () => {
    const { adaptation } = provider('bedrock', 'https://b.example', bedrock, {
      headers: { 'x-amzn-bedrock-guardrailidentifier': new Secret('g') },
    });
    const { headers } = adaptation!.adapt({
      ...call,
      headers: [
        ...[
          'Anthropic-Version',
          '2023-06-01',
          'anthropic-beta',
          'x',
          'anthropic-dangerous-direct-browser-access',
          'true',
        ],
        ...[
          'Content-Type',
          'text/json',
          'Accept',
          'text/event-stream',
          'X-Amz-Security-Token',
          'evil',
          'x-amz-date',
          '1',
        ],
        ...['User-Agent', 'u', 'x-amzn-bedrock-guardrailidentifier', 'g'],
      ],
    });
    expect(headers).toEqual([
      ...['User-Agent', 'u', 'x-amzn-bedrock-guardrailidentifier', 'g'],
      ...['content-type', 'application/json', 'accept', 'application/json'],
    ]);
  });

  it('LLM-5: Vertex: stream stays in the body, betas in the header, and Gemini calls are left alone', () => {
    const { adaptation } = provider('vertex', 'https://v.example', vertex);
    const headers = ['anthropic-version', '2023-06-01', 'Anthropic-Beta', 'context-1m-2025-08-07,unknown-1'];
    const adapted = adaptation!.adapt({ ...call, headers });
    expect(adapted.body.toString()).toBe('{"anthropic_version":"vertex-2023-10-16","stream":true}');
    expect(adapted.headers).toEqual(['anthropic-beta', 'context-1m-2025-08-07']);
    expect(adapted.dropped).toEqual(['anthropic-beta:unknown-1']);
    expect(adaptation!.adapt({ ...call, operation: 'generate', headers }).body).toBe(call.body);
    expect(adaptation!.adapt({ ...call, operation: 'count_tokens', headers }).body.toString()).toContain('"model":"m"');
  });
});

describe('errors of a cloud', () => {
  const decoded = (of: Provider, status: number, body: string): string => {
    const decoder = of.adaptation!.decoderFor('messages', status, {
      'content-type': 'application/json',
      'content-length': '1',
    })!;
    const cut = Math.floor(body.length / 2);
    return Buffer.concat([
      decoder.push(Buffer.from(body.slice(0, cut))),
      decoder.push(Buffer.from(body.slice(cut))),
      decoder.end(),
    ]).toString();
  };
  const aws = provider('bedrock', 'https://b.example', bedrock);
  const google = provider('vertex', 'https://v.example', vertex);
  const shape = (type: string, message: string): string => JSON.stringify({ type: 'error', error: { type, message } });

  it.each([
    [aws, 429, '{"message":"Too many requests"}', shape('rate_limit_error', 'Too many requests')],
    [aws, 403, '{"Message":"expired"}', shape('permission_error', 'expired')],
    [aws, 424, '{"message":"m"}', shape('invalid_request_error', 'm')],
    [aws, 503, '{"message":"m"}', shape('overloaded_error', 'm')],
    [
      google,
      400,
      '{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}',
      shape('invalid_request_error', 'bad'),
    ],
    [google, 500, '[{"error":{"message":"down"}}]', shape('api_error', 'down')],
    [google, 400, shape('invalid_request_error', 'of the model'), shape('invalid_request_error', 'of the model')],
    [aws, 500, 'no json', 'no json'],
    [aws, 500, '{"detail":1}', '{"detail":1}'],
    [aws, 500, `{"message":"${'x'.repeat(300_000)}"}`, `{"message":"${'x'.repeat(300_000)}"}`],
  ])('LLM-9: %# have the shape of the dialect, the text word for word', (of, status, body, expected) => {
    expect(decoded(of, status, body)).toBe(expected);
  });

  it('a good answer and the errors of Gemini models are not touched', () => {
    expect(aws.adaptation!.decoderFor('messages', 200, { 'content-type': 'application/json' })).toBeNull();
    expect(google.adaptation!.decoderFor('generate', 500, {})).toBeNull();
  });
});

it('OBS-3: what signs calls is among the credentials that are taken out of an upstream’s texts; the list is made once', () => {
  const of = provider('bedrock', 'https://b.example', bedrock);
  expect(of.credentials.map(String)).toEqual(['secret-secret', 'token-token']);
  expect(of.credentials).toBe(of.credentials);
});

it('LLM-5: a Bedrock API key needs no signature', () => {
  const of = provider(
    'bedrock',
    'https://b.example',
    { ...bedrock, key: null },
    { apiKey: new Secret('bedrock-api-key') },
  );
  expect(of.credential).toBeNull();
  expect(of.headersFor('anthropic')).toEqual({ authorization: 'Bearer bedrock-api-key' });
});
