import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import type { SmartflowConfig } from './config.js';
import { loadConfig, type LoadRequest, type LoadResult } from './load.js';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(os.tmpdir(), 'sf-config-'));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

function load(yaml: string | null, env: LoadRequest['env'] = {}, more: Partial<LoadRequest> = {}): LoadResult {
  if (yaml !== null) writeFileSync(join(cwd, 'smartflow.yaml'), yaml);
  return loadConfig({ env, cwd, ...more });
}

function loaded(...args: Parameters<typeof load>): SmartflowConfig {
  const result = load(...args);
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return result.config;
}

describe('without a file', () => {
  it('CFG-1: no file at all gives all defaults and the demo provider', () => {
    const config = loaded(null);
    expect(config.file).toBeNull();
    expect(config.warnings).toEqual([]);
    expect(config.boot).toEqual({
      listen: { host: '127.0.0.1', port: 8080 },
      dataDir: join(cwd, 'data'),
      stores: { redis: 'embedded', postgres: 'embedded', mongodb: null },
      drainMs: 120_000,
      bodyLimitBytes: 20_971_520,
      clientGoneCalls: 64,
      logLevel: 'info',
      readyFile: null,
    });
    expect(config.live).toMatchObject({
      egressAllow: [],
      archive: { bodies: true, maxBodyBytes: 1_048_576, retentionDays: 30 },
      ledgerRetentionDays: 400,
      models: [],
      keys: [],
      prices: [],
    });
    expect(config.live.providers).toMatchObject([{ name: 'demo', type: 'demo', baseUrl: null, apiKey: null }]);
  });

  it('CFG-2: smartflow.yaml of the working folder is taken without being named', () => {
    expect(loaded('listen: ":9000"').boot.listen.port).toBe(9000);
  });

  it('CFG-2: a file that is named but not there is a fault, not a default', () => {
    expect(load(null, {}, { file: 'other.yaml' })).toMatchObject({
      ok: false,
      file: join(cwd, 'other.yaml'),
      faults: [{ path: '', line: null, message: 'the configuration file does not exist' }],
    });
    expect(load(null, { SMARTFLOW_CONFIG: 'gone.yaml' })).toMatchObject({ ok: false, file: join(cwd, 'gone.yaml') });
  });

  it('CFG-2: the file named by the caller goes before SMARTFLOW_CONFIG, and that before smartflow.yaml', () => {
    writeFileSync(join(cwd, 'a.yaml'), 'listen: ":1"');
    writeFileSync(join(cwd, 'b.yaml'), 'listen: ":2"');
    writeFileSync(join(cwd, 'path'), 'b.yaml\n');
    const env = { SMARTFLOW_CONFIG: 'b.yaml' };
    expect(loaded('listen: ":3"', env, { file: 'a.yaml' }).boot.listen.port).toBe(1);
    expect(loaded('listen: ":3"', env).boot.listen.port).toBe(2);
    expect(loaded('listen: ":3"', { SMARTFLOW_CONFIG_FILE: 'path' }).boot.listen.port).toBe(2);
  });
});

describe('what the file says', () => {
  it('CFG-1: a file without a providers section gets demo, one with it only what it declares', () => {
    const names = (yaml: string): string[] => loaded(yaml).live.providers.map((provider) => provider.name);
    expect(names('listen: ":8080"')).toEqual(['demo']);
    expect(names('providers:\n')).toEqual(['demo']); // everything below it commented out
    expect(names('providers: { a: { type: openai, api_key: k } }')).toEqual(['a']);
    expect(names('providers: { a: { type: openai, api_key: k }, d: { type: demo } }')).toEqual(['a', 'd']);
    expect(names('providers: {}')).toEqual([]);
  });

  it('CFG-1: openai, anthropic and google have their usual address by default', () => {
    const { providers } = loaded(
      'providers: { o: { type: openai }, a: { type: anthropic }, g: { type: google }, x: { type: openai, base_url: "https://EXAMPLE.com/v1//" } }',
    ).live;
    expect(providers.map((provider) => provider.baseUrl)).toEqual([
      'https://api.openai.com/v1',
      'https://api.anthropic.com',
      'https://generativelanguage.googleapis.com',
      'https://example.com/v1',
    ]);
  });

  it('CFG-1: every field of a provider, a model, a key and a price arrives in its place', () => {
    const { live } = loaded(
      [
        'providers:',
        '  azure:',
        '    type: azure-openai',
        '    base_url: https://my.example.com',
        '    api_key: secret-of-azure',
        '    api_version: "2026-01-01"',
        '    stream_usage: false',
        '    responses_only: ["o*-pro"]',
        '    chat_only: [small]',
        '    headers: { X-Team: blue, x-empty: "" }',
        '    models: [gpt-5]',
        '    timeouts: { connect_ms: 200, total_ms: 1000 }',
        'models:',
        '  big: { target: azure/org/gpt-5, context_tokens: 1000000, limits: { rpm: 9 } }',
        'keys:',
        '  - name: ci',
        '    key: 0123456789-abcdefghij',
        '    team: research',
        '    user: ada@example.com',
        '    app: portal',
        '    budgets: [{ limit_usd: 1, period: lifetime }]',
        '    limits: { tpm: 5 }',
        '    models: [big]',
        '    routes: [/anthropic/*]',
        '    tags: [a]',
        '    expires_at: 2030-01-01T00:00:00Z',
        '    metadata: { cost-centre: "12" }',
        'org: { display_name: We, time_zone: Asia/Kolkata, week_start: sunday, limits: { max_parallel: 2 } }',
        'teams:',
        '  research:',
        '    display_name: R & D',
        '    models: [big]',
        '    limits: { rpm: 1, tpm: 2, max_parallel: 3 }',
        '    budgets:',
        '      - { limit_usd: 10.1, period: weekly, time_zone: Europe/Berlin, week_start: 3, mode: soft, warn_at: [1, 0.5, 1] }',
        'users: { ada@example.com: {} }',
        'apps: { portal: {} }',
        'tags: { a: { budgets: [{ limit_usd: 1, period: daily }] } }',
        'prices:',
        '  azure/gpt-5: { input: 1, output: 2, cached_input: 0.1, cache_write_5m: 1.25, cache_write_1h: 2, from: "2026-01-01" }',
      ].join('\n'),
    );
    const [provider] = live.providers;
    expect(provider).toMatchObject({
      name: 'azure',
      apiVersion: '2026-01-01',
      streamUsage: false,
      models: ['gpt-5'],
      responsesOnly: ['o*-pro'],
      chatOnly: ['small'],
      timeouts: { connectMs: 200, firstByteMs: 600_000, idleMs: 240_000, totalMs: 1000 },
    });
    expect(provider?.apiKey?.reveal()).toBe('secret-of-azure');
    expect(Object.keys(provider?.headers ?? {})).toEqual(['x-team']);
    expect(provider?.headers['x-team']?.reveal()).toBe('blue');
    expect(live.models).toEqual([
      {
        name: 'big',
        provider: 'azure',
        model: 'org/gpt-5',
        contextTokens: 1_000_000,
        limits: { rpm: 9, tpm: null, maxParallel: null },
      },
    ]);
    expect(live.org).toEqual({
      displayName: 'We',
      timeZone: 'Asia/Kolkata',
      weekStart: 7,
      budgets: [],
      limits: { rpm: null, tpm: null, maxParallel: 2 },
    });
    const budget = {
      limitNanos: 10_100_000_000,
      period: 'weekly',
      timeZone: 'Europe/Berlin',
      weekStart: 3,
      mode: 'soft',
      warnAt: [0.5, 1],
    };
    expect(live.teams).toEqual([
      {
        name: 'research',
        displayName: 'R & D',
        models: ['big'],
        budgets: [budget],
        limits: { rpm: 1, tpm: 2, maxParallel: 3 },
      },
    ]);
    expect(live.users).toMatchObject([{ name: 'ada@example.com', models: ['*'], budgets: [], limits: { rpm: null } }]);
    expect(live.apps.map(({ name }) => name)).toEqual(['portal']);
    expect(live.tags).toMatchObject([{ name: 'a', budgets: [{ period: 'daily', timeZone: null, mode: 'clamp' }] }]);
    expect(live.keys[0]).toMatchObject({ user: 'ada@example.com', app: 'portal', limits: { tpm: 5 } });
    expect(live.keys[0]?.budgets).toMatchObject([{ limitNanos: 1_000_000_000, weekStart: null, warnAt: [] }]);
    expect(live.keys[0]?.secret?.reveal()).toBe('0123456789-abcdefghij');
    expect(live.keys).toMatchObject([
      {
        name: 'ci',
        team: 'research',
        models: ['big'],
        routes: ['/anthropic/*'],
        tags: ['a'],
        expiresAtMs: Date.UTC(2030, 0, 1),
        metadata: { 'cost-centre': '12' },
      },
    ]);
    expect(live.prices).toEqual([
      {
        provider: 'azure',
        model: 'gpt-5',
        inputUsd: 1,
        outputUsd: 2,
        cachedInputUsd: 0.1,
        cacheWrite5mUsd: 1.25,
        cacheWrite1hUsd: 2,
        fromMs: Date.UTC(2026, 0, 1),
      },
    ]);
  });

  it('CFG-1: a key without a secret, models or routes gets one made and may use everything', () => {
    expect(loaded('keys: [{ name: ci, key: "${NONE:-}" }, { name: cd }]').live.keys).toMatchObject([
      { secret: null, models: ['*'], routes: ['*'] },
      { secret: null, models: ['*'], routes: ['*'] },
    ]);
  });

  it.each([
    ['listen: ":8080"', { host: '0.0.0.0', port: 8080 }],
    ['listen: "127.0.0.1:0"', { host: '127.0.0.1', port: 0 }],
    ['listen: "[::]:80"', { host: '::', port: 80 }],
    ['listen: localhost:8081', { host: 'localhost', port: 8081 }],
    ['{}', { host: '127.0.0.1', port: 8080 }],
  ])('CFG-1: %s listens on %j', (yaml, listen) => {
    expect(loaded(yaml).boot.listen).toEqual(listen);
  });

  it('CFG-1: data_dir is relative to the folder of the file, SMARTFLOW_DATA_DIR to the working folder', () => {
    mkdirSync(join(cwd, 'etc'));
    writeFileSync(join(cwd, 'etc/sf.yaml'), 'data_dir: ./d');
    expect(loaded(null, {}, { file: 'etc/sf.yaml' }).boot.dataDir).toBe(join(cwd, 'etc/d'));
    expect(loaded(null, { SMARTFLOW_DATA_DIR: 'e' }, { file: 'etc/sf.yaml' }).boot.dataDir).toBe(join(cwd, 'e'));
    expect(loaded('data_dir: /srv/x/../y').boot.dataDir).toBe('/srv/y');
  });

  it('CFG-1: stores are embedded when empty, bundled on request, else a URL that does not print', () => {
    const { stores } = loaded(
      'stores: { redis: "redis://:pw@10.0.0.1", postgres: bundled, mongodb: "mongodb://a:1,b:2/x" }',
    ).boot;
    expect(stores.postgres).toBe('bundled');
    expect(String(stores.redis)).toBe('[secret]');
    expect(typeof stores.redis === 'object' && stores.redis.reveal()).toBe('redis://:pw@10.0.0.1');
    expect(stores.mongodb?.reveal()).toBe('mongodb://a:1,b:2/x');
  });

  it('the configuration is frozen throughout', () => {
    const config = loaded('providers: { a: { type: openai, headers: { x-a: b } } }');
    expect(() => Object.assign(config.live.providers[0] as object, { name: 'x' })).toThrow(TypeError);
    expect(() => (config.live.egressAllow as string[]).push('0.0.0.0/0')).toThrow(TypeError);
  });

  it('no secret is in the parsed file that the settings page shows, nor in the configuration when printed', () => {
    const config = loaded(
      [
        'stores: { redis: "redis://:CANARY@h", postgres: "postgres://u:CANARY@h/d", mongodb: "mongodb://u:CANARY@h" }',
        'providers: { a: { type: openai, api_key: CANARY, headers: { x-a: CANARY } } }',
        'keys: [{ name: a, key: CANARY-012345678901234 }]',
        'servers: { s: { url: "https://h", credentials: { headers: { x: CANARY } } } }',
        'api_keys: [{ name: a, key: CANARY, role: r }]',
      ].join('\n'),
    );
    expect(JSON.stringify(config)).not.toContain('CANARY');
    expect(config.source.providers?.['a']?.api_key).toBe('[secret]');
  });
});

describe('the environment', () => {
  it('CFG-2: port, host, data folder, ready file and log level override the file', () => {
    const { boot } = loaded('listen: "10.0.0.1:9000"\nlog: { level: error }', {
      SMARTFLOW_PORT: '0',
      SMARTFLOW_HOST: '0.0.0.0',
      SMARTFLOW_READY_FILE: 'ready.json',
      SMARTFLOW_LOG_LEVEL: 'debug',
    });
    expect(boot).toMatchObject({
      listen: { host: '0.0.0.0', port: 0 },
      readyFile: join(cwd, 'ready.json'),
      logLevel: 'debug',
    });
  });

  it('CFG-2: each variable may be given as a file, and an empty variable counts as unset', () => {
    writeFileSync(join(cwd, 'port'), ' 8123 \n');
    writeFileSync(join(cwd, 'db'), 'postgres://u:p@h/d\n');
    const { boot } = loaded(null, {
      SMARTFLOW_PORT: '',
      SMARTFLOW_PORT_FILE: 'port',
      DATABASE_URL_FILE: 'db',
      REDIS_URL: '',
    });
    expect(boot.listen.port).toBe(8123);
    expect(typeof boot.stores.postgres === 'object' && boot.stores.postgres.reveal()).toBe('postgres://u:p@h/d');
    expect(boot.stores.redis).toBe('embedded');
  });

  it('CFG-1: DATABASE_URL, REDIS_URL and MONGODB_URL count only for stores of which the file says nothing', () => {
    const env = { DATABASE_URL: 'postgres://h/env', REDIS_URL: 'rediss://env', MONGODB_URL: 'mongodb+srv://env' };
    const reveal = (yaml: string | null): unknown[] =>
      Object.values(loaded(yaml, env).boot.stores).map((store) => (store instanceof Object ? store.reveal() : store));
    expect(reveal(null)).toEqual(['rediss://env', 'postgres://h/env', 'mongodb+srv://env']);
    expect(reveal('stores: { postgres: "", redis: "redis://file" }')).toEqual([
      'redis://file',
      'embedded',
      'mongodb+srv://env',
    ]);
  });

  it.each([
    [{ SMARTFLOW_PORT: '70000' }, 'SMARTFLOW_PORT', /port from 0/],
    [{ SMARTFLOW_PORT: '-1' }, 'SMARTFLOW_PORT', /port from 0/],
    [{ SMARTFLOW_PORT: '8080x' }, 'SMARTFLOW_PORT', /port from 0/],
    [{ SMARTFLOW_HOST: 'a b' }, 'SMARTFLOW_HOST', /IP address or a host name/],
    [{ SMARTFLOW_LOG_LEVEL: 'warning' }, 'SMARTFLOW_LOG_LEVEL', /did you mean "warn"/],
    [{ SMARTFLOW_PORT_FILE: 'gone' }, 'SMARTFLOW_PORT', /the file named by SMARTFLOW_PORT_FILE does not exist/],
    [{ DATABASE_URL: 'mysql://u:CANARY@h' }, 'DATABASE_URL', /begins with postgres/],
    [{ REDIS_URL: 'redis://u:CANARY #@h' }, 'REDIS_URL', /percent-encoded/],
    [{ MONGODB_URL: 'bundled' }, 'MONGODB_URL', /no bundled form/],
    [{ SMARTFLOW_CONFIG: 'listen: ":80"\nlog: {}' }, 'SMARTFLOW_CONFIG', /must be one path/],
  ])('a bad variable is a fault under its own name, without its value: %j', (env, path, message) => {
    const result = load(null, env);
    expect(result).toMatchObject({
      ok: false,
      faults: [{ path, line: null, message: expect.stringMatching(message) as string }],
    });
    expect(JSON.stringify(result)).not.toContain('CANARY');
  });

  it('a DATABASE_URL meant for another program does not matter when the file names the store', () => {
    expect(load('stores: { postgres: "" }', { DATABASE_URL: 'mysql://h/d' }).ok).toBe(true);
  });

  it('an unknown SMARTFLOW_ variable is a warning with the variable that was probably meant', () => {
    expect(loaded(null, { SMARTFLOW_PROT: '1', SMARTFLOWER: '1', SMARTFLOW_KEY: 'k' }).warnings).toEqual([
      {
        path: 'SMARTFLOW_PROT',
        line: null,
        message: 'the variable SMARTFLOW_PROT is not known (did you mean "SMARTFLOW_PORT"?)',
      },
    ]);
  });
});

describe('what has no effect in this version', () => {
  it.each([
    ['keys: [{ name: a, cache: { semantic: true } }]', 'keys[0].cache', /not part of this version/],
    ['keys: [{ name: a, team: t }]', 'keys[0].team', /names a team that this file does not declare:/],
    ['{ users: { ada: {} }, keys: [{ name: a, user: adda }] }', 'keys[0].user', /did you mean "ada"/],
    ['keys: [{ name: a, app: x }]', 'keys[0].app', /names an app/],
    ['keys: [{ name: a, chain: c }]', 'keys[0].chain', /is no chain of this file/],
    ['teams: { t: { chain: c } }', 'teams.t.chain', /is no chain of this file/],
    ['cache: {}', 'cache', /not part of this version/],
    ['servers: {}', 'servers', /not served by this version/],
    ['roles: {}', 'roles', /not enforced by this version/],
    ['api_keys: []', 'api_keys', /not accepted by this version/],
    ['providers: { v: { type: demo, base_url: "https://h" } }', 'providers.v.base_url', /no effect on a demo provider/],
    ['providers: { o: { type: openai } }', 'providers.o', /no api_key/],
    [
      'providers: { o: { type: openai-compatible, base_url: "https://h" } }',
      'providers.o.base_url',
      /usually ends in \/v1/,
    ],
    [
      'providers: { o: { type: anthropic, base_url: "https://h/v1" } }',
      'providers.o.base_url',
      /no version at its end/,
    ],
    ['prices: { nobody/m: { input: 1, output: 1 } }', 'prices["nobody/m"]', /not declared/],
    ['keys: [{ name: a, expires_at: "2020-01-01T00:00:00Z" }]', 'keys[0].expires_at', /has expired/],
  ])('%s is a warning', (yaml, path, message) => {
    const text = typeof message === 'string' ? message : (expect.stringMatching(message) as string);
    expect(loaded(yaml).warnings).toContainEqual({ path, line: 1, message: text });
  });

  it('the same sentence is said once, at the first line it applies to', () => {
    const yaml = 'keys:\n  - { name: a, cache: {} }\n  - { name: b, cache: {} }';
    const ofCache = loaded(yaml).warnings.filter(({ path }) => path.endsWith('cache'));
    expect(ofCache).toMatchObject([{ path: 'keys[0].cache', line: 2 }]);
  });

  it('CFG-1: budgets, limits and owners have one: nothing is said', () => {
    const yaml = `{
org: { time_zone: Europe/Berlin, budgets: [{ limit_usd: 1, period: monthly }] }, users: { ada@example.com: {} }, apps: { p: {} },
teams: { t: { budgets: [{ limit_usd: 1, period: daily }], limits: { rpm: 1 } } }, models: { m: { target: demo/echo, limits: { tpm: 5 } } },
tags: { nightly: { budgets: [{ limit_usd: 1, period: lifetime }] } },
keys: [{ name: a, key: 0123456789-abcdefghij, team: t, user: ada@example.com, app: p, limits: { rpm: 1 } }] }`;
    expect(loaded(yaml).warnings).toEqual([]);
  });
});
