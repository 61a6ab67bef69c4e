import { createSecretKey, randomBytes } from 'node:crypto';
import { NO_LIMITS, type FileKeyConfig } from '#libs/platform/config.js';
import { Secret } from '#libs/platform/secret.js';
import { RegistryState, type RegistryDocument } from '#libs/registry/index.js';
import { digestOf, makeCredential } from './credential.js';
import type { ResolvedFileKey } from './file-key-secrets.js';
import { KEY_DEFAULTS, type KeyBody } from './key-document.js';
import { compileKeys } from './key-index.js';

const pepper = createSecretKey(randomBytes(32));

function document(id: string, text: string, body: Partial<KeyBody> = {}): RegistryDocument {
  const full: KeyBody = {
    publicId: 'x',
    digest: digestOf(pepper, text),
    ...KEY_DEFAULTS,
    ...body,
  };
  return { orgId: 'org_default', kind: 'key', id, name: id, version: 1, body: full, createdAtMs: 0, updatedAtMs: 0 };
}
function state(...documents: RegistryDocument[]): RegistryState {
  return RegistryState.empty.apply({ head: { lineage: 'l', version: 1 }, full: true, documents, removed: [] });
}
function fileKey(name: string, text: string, more: Partial<FileKeyConfig> = {}): ResolvedFileKey {
  const secret = new Secret(text);
  const key = {
    name,
    secret,
    team: null,
    user: null,
    app: null,
    models: ['*'],
    routes: ['*'],
    tags: [],
    budgets: [],
    limits: NO_LIMITS,
    expiresAtMs: null,
    metadata: {},
    ...more,
  };
  return { key, secret };
}
const text = (): string => makeCredential('sk-sf-').secret.reveal();

describe('KeyIndex', () => {
  it('KEY-1: finds a key by its whole text and by nothing less', () => {
    const key = text();
    const index = compileKeys(state(document('key_1', key, { team: 't', tags: ['a'], expiresAtMs: 5 })), [], pepper);
    expect(index.find(key)).toMatchObject({
      id: 'key_1',
      name: 'key_1',
      orgId: 'org_default',
      team: 't',
      tags: ['a'],
      expiresAtMs: 5,
      status: 'active',
      source: 'api',
    });
    for (const wrong of [
      key.slice(0, -1),
      `${key}a`,
      ` ${key}`,
      key.toUpperCase(),
      text(),
      digestOf(pepper, key),
      '',
    ]) {
      expect(index.find(wrong)).toBeNull();
    }
  });

  it('KEY-1: a revoked key is found as revoked, so that its caller is told so', () => {
    const key = text();
    expect(compileKeys(state(document('k', key, { revokedAtMs: 1 })), [], pepper).find(key)?.status).toBe('revoked');
  });

  it('KEY-1: models and routes are limited as listed', () => {
    const key = text();
    const record = compileKeys(
      state(document('k', key, { models: ['gpt-*', 'fast'], routes: ['/v1/*'] })),
      [],
      pepper,
    ).find(key);
    expect(['gpt-5', 'fast', 'claude', 'gpt'].map((model) => record?.mayUseModel(model))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(['/v1/models', '/anthropic/v1/messages', '/v1'].map((path) => record?.mayUseRoute(path))).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('CFG-1: keys of the file are found too, hand-made ones included', () => {
    const odd = 'sk-sf-made-by-hand-0123456789';
    const index = compileKeys(state(), [fileKey('odd', odd), fileKey('other', 'any text of 20 characters')], pepper);
    expect(index.find(odd)).toMatchObject({ id: 'key_file_odd', source: 'file', orgId: 'org_default' });
    expect(index.find('any text of 20 characters')?.name).toBe('other');
    expect(index.size).toBe(2);
  });

  it('a text too short or too long to be a key costs no hash', () => {
    const index = compileKeys(state(), [], pepper);
    expect(index.find('x'.repeat(19))).toBeNull();
    expect(index.find('x'.repeat(257))).toBeNull();
    expect(index.find('x'.repeat(10_000_000))).toBeNull();
  });

  it('an unchanged document keeps its record, so that what it remembers stays warm', () => {
    const key = text();
    const one = document('k', key);
    const first = compileKeys(state(one), [], pepper).find(key);
    expect(compileKeys(state(one, document('l', text())), [], pepper).find(key)).toBe(first);
  });

  it('10,000 keys compile fast enough for a poll, and a look-up stays a matter of microseconds', () => {
    const keys = Array.from({ length: 10_000 }, text);
    const registry = state(...keys.map((key, i) => document(`key_${i}`, key)));
    const startedAt = performance.now();
    const index = compileKeys(registry, [], pepper);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    const lookUpAt = performance.now();
    for (const key of keys) expect(index.find(key)).not.toBeNull();
    expect((performance.now() - lookUpAt) / keys.length).toBeLessThan(0.2); // generous: the bench tells the real price
  });
});
