import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigFault } from './config.js';
import { type Environment } from './environment.js';
import { loadConfig } from './load.js';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'sf-faults-'));
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

function faultsOf(yaml: string, env: Environment = {}): readonly ConfigFault[] {
  writeFileSync(join(cwd, 'smartflow.yaml'), yaml);
  const result = loadConfig({ env, cwd });
  return result.ok ? [] : result.faults;
}

describe('each fault with its line and path', () => {
  it.each<[string, number, string, RegExp]>([
    // names that do not exist
    ['listen: ":80"\nprovider: {}', 2, 'provider', /^unknown setting \(did you mean "providers"\?\)$/],
    ['providers:\n  a:\n    type: openai\n    baseUrl: https://h', 4, 'providers.a.baseUrl', /did you mean "base_url"/],
    ['keys:\n  - name: a\n    bugdets: []', 3, 'keys[0].bugdets', /did you mean "budgets"/],
    ['keys: [{ name: a, limits: { rmp: 1 } }]', 1, 'keys[0].limits.rmp', /did you mean "rpm"/],
    ['zzz: 1', 1, 'zzz', /^unknown setting$/],
    [
      'fallback_chains: { c: { steps: [{ targets: [{ model: demo/b, wieght: 1 }] }] } }',
      1,
      'fallback_chains.c.steps[0].targets[0].wieght',
      /weight/,
    ],
    // wrong kinds of values
    ['listen: 8080', 1, 'listen', /put it in quotes/],
    ['limits: { drain_ms: soon }', 1, 'limits.drain_ms', /must be a number/],
    ['limits: { drain_ms: 1.5 }', 1, 'limits.drain_ms', /must be a whole number/],
    ['limits: { body_bytes: 10 }', 1, 'limits.body_bytes', /must be at least 1024/],
    ['archive: { bodies: "yes" }', 1, 'archive.bodies', /true or false/],
    ['providers: [a]', 1, 'providers', /must be a mapping/],
    ['keys: { a: b }', 1, 'keys', /must be a list/],
    ['keys: [{ team: x }]', 1, 'keys[0].name', /is missing/],
    ['providers: { a: {} }', 1, 'providers.a.type', /is missing: one of openai/],
    ['providers: { a: { type: opnai } }', 1, 'providers.a.type', /did you mean "openai"/],
    ['providers: { a: { type: openai, api_key: } }', 1, 'providers.a.api_key', /has no value/],
    ['providers: { "a b": { type: demo } }', 1, 'providers["a b"]', /not allowed as a name/],
    [
      'keys: [{ name: a, budgets: [{ limit_usd: 0, period: daily }] }]',
      1,
      'keys[0].budgets[0].limit_usd',
      /greater than 0/,
    ],
    [
      'keys: [{ name: a, budgets: [{ limit_usd: 9000001, period: daily }] }]',
      1,
      'keys[0].budgets[0].limit_usd',
      /at most 9000000/,
    ],
    [
      'keys: [{ name: a, budgets: [{ limit_usd: .inf, period: daily }] }]',
      1,
      'keys[0].budgets[0].limit_usd',
      /must be/,
    ],
    [
      'keys: [{ name: a, budgets: [{ limit_usd: .nan, period: daily }] }]',
      1,
      'keys[0].budgets[0].limit_usd',
      /must be/,
    ],
    [
      'keys: [{ name: a, budgets: [{ limit_usd: -1, period: daily }] }]',
      1,
      'keys[0].budgets[0].limit_usd',
      /greater than 0/,
    ],
    [
      'keys: [{ name: a, budgets: [{ limit_usd: 1, period: dayly }] }]',
      1,
      'keys[0].budgets[0].period',
      /did you mean "daily"/,
    ],
    [
      'keys: [{ name: a, budgets: [{ limit_usd: 1, period: daily, week_start: mon }] }]',
      1,
      'keys[0].budgets[0].week_start',
      /one of monday/,
    ],
    [
      'keys: [{ name: a, budgets: [{ limit_usd: 1, period: daily, warn_at: [80] }] }]',
      1,
      'keys[0].budgets[0].warn_at[0]',
      /at most 10/,
    ],
    ['keys: [{ name: a, limits: { rpm: 0 } }]', 1, 'keys[0].limits.rpm', /greater than 0|at least 1/],
    ['keys: [{ name: a, tags: ["a|b"] }]', 1, 'keys[0].tags[0]', /without \|/],
    ['keys: [{ name: a, team: "a|b" }]', 1, 'keys[0].team', /without \|/],
    ['teams: { "a|b": {} }', 1, 'teams["a|b"]', /not allowed as a name/],
    ['teams: { "a\\nb": {} }', 1, 'teams["a\\nb"]', /not allowed as a name/],
    ['keys: [{ name: a, expires_at: tomorrow }]', 1, 'keys[0].expires_at', /date and time with zone/],
    [
      'prices: { openai/x: { input: 1, output: 1, from: "31.1.2026" } }',
      1,
      'prices["openai/x"].from',
      /must be a date/,
    ],
    ['egress: { allow: [10.1.2.3] }', 1, 'egress.allow[0]', /10\.1\.2\.3\/32/],
    ['models: { a: { target: gpt-5 } }', 1, 'models.a.target', /provider\/model/],
    ['fallback_chains: { c: { steps: [] } }', 1, 'fallback_chains.c.steps', /at least 1 entry/],
    // written twice
    ['log: { level: info }\nlisten: ":80"\nlog: { level: warn }', 3, 'log', /twice, the first time on line 1/],
    ['providers:\n  a: { type: demo }\n  a: { type: demo }', 3, 'providers.a', /twice, the first time on line 2/],
    ['keys:\n  - { name: a }\n  - { name: b }\n  - { name: a }', 4, 'keys[2].name', /same name as keys\[0\]/],
    ['keys:\n  - { name: a, key: 01234567890123456789 x }', 2, 'keys[0].key', /visible ASCII/],
    // addresses
    ['listen: ":99999"', 1, 'listen', /port from 0 to 65535/],
    ['listen: "[1.2.3.4]:80"', 1, 'listen', /:port or address:port/],
    ['listen: "a:b:80"', 1, 'listen', /:port or address:port/],
    ['stores: { redis: "http://h" }', 1, 'stores.redis', /redis:\/\/ or rediss:\/\//],
    ['stores: { mongodb: bundled }', 1, 'stores.mongodb', /no bundled form/],
    [
      'providers: { a: { type: openai-compatible } }',
      1,
      'providers.a.base_url',
      /is missing: a provider of type openai-compatible/,
    ],
    [
      'providers: { a: { type: azure-openai } }',
      1,
      'providers.a.base_url',
      /is missing: a provider of type azure-openai/,
    ],
    ['providers: { a: { type: openai, base_url: "ftp://h" } }', 1, 'providers.a.base_url', /must be a URL/],
    ['providers: { a: { type: openai, base_url: "https://u:p@h/v1" } }', 1, 'providers.a.base_url', /user or password/],
    [
      'providers: { a: { type: openai, base_url: "https://h/v1?x=1" } }',
      1,
      'providers.a.base_url',
      /must not contain \?/,
    ],
    [
      'providers: { a: { type: openai, base_url: "https://10.0.0.7/v1" } }',
      1,
      'providers.a.base_url',
      /private network\): add "10\.0\.0\.7\/32" to egress\.allow/,
    ],
    [
      'providers: { a: { type: openai, base_url: "http://0x7f.1/v1" } }',
      1,
      'providers.a.base_url',
      /loopback\): add "127\.0\.0\.0\/8"/,
    ],
    [
      'providers: { a: { type: openai, base_url: "http://localhost:1/v1" } }',
      1,
      'providers.a.base_url',
      /loopback.*127\.0\.0\.0\/8/,
    ],
    ['providers: { a: { type: openai, base_url: "https://[::1]/v1" } }', 1, 'providers.a.base_url', /"::1\/128"/],
    [
      'providers: { a: { type: openai, base_url: "https://169.254.169.254/v1" } }\negress: { allow: [0.0.0.0/0] }',
      1,
      'providers.a.base_url',
      /metadata/,
    ],
    [
      'providers: { a: { type: openai, base_url: "http://8.8.8.8/v1" } }',
      1,
      'providers.a.base_url',
      /plain http needs a listed address/,
    ],
    ['providers: { a: { type: openai, headers: { "x y": b } } }', 1, 'providers.a.headers["x y"]', /no header name/],
    [
      'providers: { a: { type: openai, headers: { Content-Length: "1" } } }',
      1,
      'providers.a.headers.Content-Length',
      /gateway sets itself/,
    ],
    ['providers: { a: { type: openai, headers: { x: "a\\r\\nb: c" } } }', 1, 'providers.a.headers.x', /cannot be sent/],
    ['providers: { a: { type: openai, api_key: "key\\n" } }', 1, 'providers.a.api_key', /cannot be sent in a header/],
    // references
    [
      'models: { a: { target: opnai/gpt-5 } }\nproviders: { openai: { type: openai } }',
      1,
      'models.a.target',
      /"opnai", which is not declared \(did you mean "openai"/,
    ],
    ['models: { a: { target: openai/gpt-5 } }', 1, 'models.a.target', /not declared/],
    // keys
    ['keys: [{ name: a, key: short }]', 1, 'keys[0].key', /20 to 256 visible/],
    ['keys: [{ name: a, key: "ümlaut-ümlaut-ümlaut-ümlaut" }]', 1, 'keys[0].key', /20 to 256 visible/],
    ['keys: [{ name: a, models: [] }]', 1, 'keys[0].models', /empty list/],
    [
      'keys: [{ name: a, budgets: [{ limit_usd: 1, period: daily, time_zone: Europe/Berlim }] }]',
      1,
      'keys[0].budgets[0].time_zone',
      /did you mean "Europe\/Berlin"/,
    ],
    [
      'teams: { t: { budgets: [{ limit_usd: 1, period: daily, time_zone: "+02:00" }] } }',
      1,
      'teams.t.budgets[0].time_zone',
      /no time zone/,
    ],
    ['org: { time_zone: Mars/Olympus }', 1, 'org.time_zone', /no time zone/],
    [
      'tags: { t: { budgets: [{ limit_usd: 1, period: daily, time_zone: nowhere }] } }',
      1,
      'tags.t.budgets[0].time_zone',
      /no time zone/,
    ],
    [
      'keys: [{ name: a, budgets: [{ limit_usd: 1, period: daily }, { limit_usd: 2, period: daily, mode: strict }] }]',
      1,
      'keys[0].budgets[1].period',
      /twice/,
    ],
    [
      'teams: { t: { budgets: [{ limit_usd: 0.00000000015, period: daily }] } }',
      1,
      'teams.t.budgets[0].limit_usd',
      /nine decimals/,
    ],
    ['apps: { a: { models: [] } }', 1, 'apps.a.models', /empty list/],
    // servers
    ['servers: { s: { credential_mode: gateway } }', 1, 'servers.s', /either url or command/],
    // variables
    ['data_dir: ./x\nstores: { redis: "${R}" }', 2, 'stores.redis', /the variable R is not set/],
  ])('%s', (yaml, line, path, message) => {
    expect(faultsOf(yaml)).toEqual([{ line, path, message: expect.stringMatching(message) as string }]);
  });

  it('two keys with the same secret are a fault that does not show it', () => {
    const faults = faultsOf(
      'keys:\n  - { name: a, key: CANARY-CANARY-CANARY }\n  - { name: b, key: CANARY-CANARY-CANARY }',
    );
    expect(faults).toEqual([{ line: 3, path: 'keys[1].key', message: 'has the same secret as keys[0]' }]);
  });
});

it('CFG-1: all faults are listed at once, in the order of lines, each place once', () => {
  const yaml = [
    'listn: ":80"', // 1 unknown
    'providers:',
    '  a:', // 3
    '    type: openai-compatible',
    '    base_url: "${URL}"', // 5 unset: no second fault about the URL
    '    api_key: "${KEY}"', // 6 unset
    '  b: { type: openai-compatible }', // 7 no base_url
    'models:',
    '  m: { target: c/x }', // 9 unknown provider
    'keys:',
    '  - { name: k, key: short }', // 11 too short
    '  - { name: k, limits: { rpm: none } }', // 12 same name, no number
    'limits: { drain_ms: "${MS}" }', // 13 unset: no second fault about the number
  ].join('\n');
  const faults = faultsOf(yaml, { SMARTFLOW_PORT: 'x' });
  expect(faults.map((fault) => [fault.line, fault.path])).toEqual([
    [null, 'SMARTFLOW_PORT'],
    [1, 'listn'],
    [5, 'providers.a.base_url'],
    [6, 'providers.a.api_key'],
    [7, 'providers.b.base_url'],
    [9, 'models.m.target'],
    [11, 'keys[0].key'],
    [12, 'keys[1].limits.rpm'],
    [12, 'keys[1].name'],
    [13, 'limits.drain_ms'],
  ]);
});

it('no fault ever quotes a value, since it may be a secret in the wrong place', () => {
  const yaml = [
    'listen: CANARY',
    'log: { level: CANARY }',
    'stores: { redis: CANARY, postgres: "postgres://u:CANARY @h", mongodb: CANARY }',
    'egress: { allow: [CANARY] }',
    'limits: { body_bytes: CANARY }',
    'providers: { a: { type: CANARY, base_url: CANARY, headers: { x: "CANARY\\n" }, api_key: "CANARY\\n", stream_usage: CANARY } }',
    'keys: [{ name: "CANARY !", key: CANARY, expires_at: CANARY, budgets: CANARY }, CANARY]',
    'prices: { a/b: CANARY }',
  ].join('\n');
  const faults = faultsOf(yaml);
  expect(faults.length).toBeGreaterThan(15);
  expect(JSON.stringify(faults)).not.toContain('CANARY');
});

it('a public literal, a listed private one and a name that is only known later are accepted', () => {
  const yaml = [
    'egress: { allow: ["10.0.0.0/8", "127.0.0.0/8", "fd00::/8"] }',
    'providers:',
    '  a: { type: openai-compatible, base_url: "https://8.8.8.8/v1" }',
    '  b: { type: openai-compatible, base_url: "http://10.1.1.1:8000/v1" }',
    '  c: { type: openai-compatible, base_url: "http://localhost:11434/v1" }',
    '  d: { type: openai-compatible, base_url: "http://vllm.internal/v1" }',
    '  e: { type: openai-compatible, base_url: "http://[fd00::1]:80/v1" }',
  ].join('\n');
  expect(faultsOf(yaml)).toEqual([]);
});
