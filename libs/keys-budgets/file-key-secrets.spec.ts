import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { NO_LIMITS, type FileKeyConfig } from '#libs/platform/config.js';
import { Secret } from '#libs/platform/secret.js';
import { FileKeySecrets } from './file-key-secrets.js';

const key = (name: string, secret: string | null = null): FileKeyConfig => ({
  name,
  secret: secret === null ? null : new Secret(secret),
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
});

describe('FileKeySecrets', () => {
  let dataDir: string;
  let file: string;
  beforeEach(() => {
    dataDir = mkdtempSync(path.join(os.tmpdir(), 'sf-keys-'));
    file = path.join(dataDir, 'file-keys.json');
  });
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }));
  const resolve = (...keys: FileKeyConfig[]): string[] =>
    new FileKeySecrets(dataDir).resolve(keys).map(({ secret }) => secret.reveal());

  it('CFG-1: a key without a secret gets one, the same at every start and when it comes back', () => {
    const [one, two] = resolve(key('a'), key('b'));
    expect(one).toMatch(/^sk-sf-[0-9A-Za-z]{57}$/);
    expect(one).not.toBe(two);
    expect(resolve(key('b'), key('a'))).toEqual([two, one]);
    expect(resolve(key('b'))).toEqual([two]);
    expect(resolve(key('a'))).toEqual([one]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('a given secret is taken as it is, and no file is made for it', () => {
    expect(resolve(key('a', 'given-secret-0123456789'))).toEqual(['given-secret-0123456789']);
    expect(() => statSync(file)).toThrow('ENOENT');
  });

  it.each(['', '{', '[1]', '{"a":5}', '{"a":"short"}', 'null'])(
    'a file that holds %j stops the start: new secrets would lock callers out',
    (text) => {
      writeFileSync(file, text);
      expect(() => resolve(key('a'))).toThrow('is damaged');
      expect(readFileSync(file, 'utf8')).toBe(text);
    },
  );

  it('a leftover of an interrupted write is replaced and not readable by others', () => {
    writeFileSync(`${file}.new`, 'half', { mode: 0o644 });
    chmodSync(`${file}.new`, 0o644);
    resolve(key('a'));
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('names that objects have by themselves are names like any other', () => {
    const [one, two] = resolve(key('constructor'), key('__proto__'));
    expect(resolve(key('constructor'), key('__proto__'))).toEqual([one, two]);
  });
});
