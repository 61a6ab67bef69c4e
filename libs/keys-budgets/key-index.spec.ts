import { createSecretKey, randomBytes } from 'node:crypto';
import { NO_LIMITS, type FileKeyConfig } from '#libs/platform/config.js';
import { Secret } from '#libs/platform/secret.js';
import { RegistryState, type RegistryDocument } from '#libs/registry/index.js';
import { digestOf, makeCredential } from './credential.js';
import type { ResolvedFileKey } from './file-key-secrets.js';
import { KEY_DEFAULTS, type KeyBody } from './key-document.js';
import { compileKeys } from './key-index.js';
import { NO_FILE_OWNERS, OwnerIndex } from './owner-index.js';

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

  it('KEY-1: a blocked key is found as blocked', () => {
    const key = text();
    const blocked = { atMs: 1, reason: null };
    expect(compileKeys(state(document('k', key, { blocked })), [], pepper).find(key)?.status).toBe('blocked');
  });

  it('KEY-1: the secret before a rotation is the same key until its grace ends', () => {
    const [old, now] = [text(), text()];
    const previous = { publicId: 'y', digest: digestOf(pepper, old), untilMs: 1_000 };
    const index = compileKeys(state(document('k', now, { previous, expiresAtMs: 5_000 })), [], pepper);
    expect(index.find(now)).toMatchObject({ id: 'k', expiresAtMs: 5_000 });
    expect(index.find(old)).toMatchObject({ id: 'k', expiresAtMs: 1_000 });
    const sooner = compileKeys(state(document('k', now, { previous, expiresAtMs: 500 })), [], pepper);
    expect(sooner.find(old)?.expiresAtMs).toBe(500);
  });

  it('a key made by an earlier version, which knew less of it, is found', () => {
    const key = text();
    const { publicId, digest } = { publicId: 'x', digest: digestOf(pepper, key) };
    const old = {
      publicId,
      digest,
      team: 't',
      models: ['*'],
      routes: ['*'],
      tags: [],
      expiresAtMs: null,
      metadata: {},
      revokedAtMs: null,
    };
    const one: RegistryDocument = { ...document('k', key), body: old };
    expect(compileKeys(state(one), [], pepper).find(key)).toMatchObject({
      status: 'active',
      user: null,
      budgets: [],
      limits: [],
    });
  });

  it('KEY-1: what an owner may not use, the key may not; a changed owner makes a new record', () => {
    const key = text();
    const one = document('k', key, { team: 'narrow', models: ['*'] });
    const team = (models: string[]): OwnerIndex =>
      new OwnerIndex(RegistryState.empty, {
        ...NO_FILE_OWNERS,
        teams: [
          { name: 'narrow', displayName: null, models, budgets: [], limits: { rpm: 5, tpm: null, maxParallel: null } },
        ],
      });
    const [narrow, wide] = [team(['gpt-*']), team(['*'])];
    const first = compileKeys(state(one), [], pepper, narrow).find(key);
    expect([first?.mayUseModel('gpt-5'), first?.mayUseModel('claude-x')]).toEqual([true, false]);
    expect(first?.limits.map(({ id }) => id)).toEqual(['team:narrow']);
    expect(compileKeys(state(one), [], pepper, narrow).find(key)).toBe(first);
    expect(compileKeys(state(one), [], pepper, wide).find(key)?.mayUseModel('claude-x')).toBe(true);
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

  it('finds each of 10,000 keys', () => {
    const keys = Array.from({ length: 10_000 }, text);
    const index = compileKeys(state(...keys.map((key, i) => document(`key_${i}`, key))), [], pepper);
    expect(keys.map((key) => index.find(key)?.id)).toEqual(keys.map((_, i) => `key_${i}`));
  });
});
