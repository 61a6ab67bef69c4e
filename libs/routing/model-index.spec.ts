import { compileProvider, type Provider } from '#libs/providers/index.js';
import { NO_LIMITS, type ProviderConfig, type ProviderType } from '#libs/platform/config.js';
import { betaHeader, ModelIndex } from './model-index.js';

function provider(name: string, type: ProviderType, baseUrl = 'https://provider.example/v1'): Provider {
  const config: ProviderConfig = {
    name,
    type,
    baseUrl,
    apiKey: null,
    apiVersion: null,
    streamUsage: true,
    defaultTier: null,
    headers: {},
    models: [],
    timeouts: { connectMs: 1, firstByteMs: 1, idleMs: 1, totalMs: 1 },
    clientGone: { action: 'cancel', maxBytes: 0, maxMs: 0 },
  };
  return compileProvider(config, { baseUrl: 'http://127.0.0.1:1', token: 't' })!;
}

const providers = [
  provider('backup', 'openai'),
  provider('openai', 'openai'),
  provider('anthropic', 'anthropic'),
  provider('google', 'google'),
  provider('local', 'openai-compatible', 'http://127.0.0.1:2/v1'),
];
const index = new ModelIndex(
  [
    { name: 'fast', provider: 'openai', model: 'gpt-5-mini', contextTokens: null, limits: NO_LIMITS },
    { name: 'gpt-5', provider: 'local', model: 'llama', contextTokens: null, limits: NO_LIMITS },
  ],
  providers,
  (type) => (type === 'anthropic' ? [{ id: 'claude-sonnet-5', contextTokens: 1_000_000 }] : []),
);
const where = (name: string): string | null => {
  const target = index.resolve(name);
  return target === null ? null : `${target.provider.name}:${target.model}`;
};

describe('ModelIndex', () => {
  it.each([
    ['claude-sonnet-5', 'anthropic:claude-sonnet-5'],
    ['gemini-3.5-flash', 'google:gemini-3.5-flash'],
    ['gpt-6-sol', 'openai:gpt-6-sol'],
    ['o3-mini', 'openai:o3-mini'],
    ['fast', 'openai:gpt-5-mini'],
    ['gpt-5', 'local:llama'],
    ['openai/gpt-5', 'openai:gpt-5'],
    ['local/org/model', 'local:org/model'],
    ['claude-sonnet-5[1m]', 'anthropic:claude-sonnet-5'],
    ['fast[1m]', 'openai:gpt-5-mini'],
    ['unknown', null],
    ['nowhere/gpt-5', null],
    ['openai/', null],
    ['', null],
    ['__proto__', null],
    ['openai/\ud800', null],
    ['openai/a\u0000b', null],
    ['x'.repeat(100_000), null],
  ])('LLM-5: %.40s leads to %s', (name, expected) => {
    expect(where(name)).toBe(expected);
    expect(where(name)).toBe(expected);
  });

  it('KEY-1: a target is also known by another name only if that name leads to the very same place', () => {
    expect(index.resolve('gpt-6-sol')?.alsoKnownAs).toEqual(['openai/gpt-6-sol', 'gpt-6-sol']);
    expect(index.resolve('openai/gpt-5')?.alsoKnownAs).toEqual(['openai/gpt-5']);
    expect(index.resolve('fast')?.alsoKnownAs).toEqual([]);
  });

  it('lists configured names and catalogued models', () => {
    expect(index.list().map((model) => model.id)).toEqual(['fast', 'gpt-5', 'claude-sonnet-5']);
  });
});

describe('betaHeader', () => {
  it.each([
    ['claude-sonnet-4-5[1m]', undefined, 'context-1m-2025-08-07'],
    ['claude-sonnet-4-5[1m]', 'a', 'a,context-1m-2025-08-07'],
    ['claude-sonnet-4-5[1m]', 'context-1m-2025-08-07,a', 'context-1m-2025-08-07,a'],
    ['claude-sonnet-4-5', 'a', 'a'],
    ['claude-sonnet-5[1m]', 'a', 'a'],
    ['local/eu.anthropic.claude-sonnet-4-5-20250929-v1:0[1m]', 'a', 'a,context-1m-2025-08-07'],
    ['local/claude-sonnet-4-5@20250929[1m]', undefined, 'context-1m-2025-08-07'],
    ['local/not-claude-sonnet-4-5[1m]', undefined, undefined],
  ])('LLM-6: %s with %s gives %s', (name, callers, expected) => {
    expect(betaHeader(index.resolve(name)!, callers)).toBe(expected);
  });
});
