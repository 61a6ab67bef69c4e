import type { CloudSettings, ProviderConfig } from '#libs/platform/config.js';
import { Secret } from '#libs/platform/secret.js';
import { compileProvider } from './compile.js';
import { CredentialCache } from './credential-cache.js';

const bedrock = (secret: string, more: Partial<ProviderConfig> = {}): ProviderConfig => ({
  name: 'b',
  type: 'bedrock',
  baseUrl: 'https://b.example',
  apiKey: null,
  apiVersion: null,
  streamUsage: true,
  defaultTier: null,
  clientGone: { action: 'cancel', maxBytes: 0, maxMs: 0 },
  headers: {},
  models: [],
  timeouts: { connectMs: 1, firstByteMs: 1, idleMs: 1, totalMs: 1 },
  cloud: {
    kind: 'bedrock',
    region: 'r',
    key: { accessKeyId: 'A', secretAccessKey: new Secret(secret), sessionToken: null },
    webIdentity: null,
    betas: [],
  } satisfies CloudSettings,
  ...more,
});

it('LLM-5: a reload keeps the credential of an account that has stayed the same, and only that', () => {
  const cache = new CredentialCache(() => Promise.reject(new Error('not asked')));
  const credentialOf = (config: ProviderConfig) => compileProvider(config, null, cache)!.credential;
  const first = credentialOf(bedrock('secret-1'));
  expect(credentialOf(bedrock('secret-1', { name: 'other', models: ['m'] }))).toBe(first);
  expect(credentialOf(bedrock('secret-2'))).not.toBe(first);
  expect(credentialOf(bedrock('secret-1', { baseUrl: 'https://c.example' }))).not.toBe(first);
});

it('what is kept is bounded', () => {
  const cache = new CredentialCache(() => Promise.reject(new Error('not asked')));
  const first = compileProvider(bedrock('secret-0'), null, cache)!.credential;
  for (let i = 1; i <= 256; i++) compileProvider(bedrock(`secret-${i}`), null, cache);
  expect(compileProvider(bedrock('secret-0'), null, cache)!.credential).not.toBe(first);
});
