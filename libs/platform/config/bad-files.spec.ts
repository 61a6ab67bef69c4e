import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, type LoadResult } from './load.js';

let cwd: string;
let file: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'sf-bad-'));
  file = join(cwd, 'smartflow.yaml');
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

const load = (): LoadResult => loadConfig({ env: {}, cwd, file });
function faultsOf(content: string | Buffer): [number | null, string][] {
  writeFileSync(file, content);
  const result = load();
  return result.ok ? [] : result.faults.map((fault) => [fault.line, `${fault.path}|${fault.message}`]);
}

it.each<[string, string | Buffer, number | null, RegExp]>([
  ['a list', '- a\n- b', 1, /^\|the file is no mapping/],
  ['a single word', 'hello', 1, /^\|the file is no mapping/],
  ['tabs as indentation', 'providers:\n\ta: { type: demo }', 2, /^\|tabs cannot indent YAML/],
  ['two documents', 'listen: ":80"\n---\nlisten: ":81"', 2, /more than one YAML document/],
  ['an unclosed bracket', 'egress: { allow: [', 1, /^\|/],
  ['an unquoted variable in braces', 'providers: { a: { type: openai, api_key: ${K} } }', 1, /must stand in quotes/],
  ['an unknown tag', 'listen: !!js/function "x"', 1, /tags are not understood/],
  ['an alias without anchor', 'listen: *nowhere', 1, /\*nowhere names no anchor/],
  ['an alias to itself', 'keys: &k\n  - *k', 2, /itself part of/],
  ['a key that is a list', '? [a]\n: 1', 1, /no plain name/],
  ['__proto__ as a key', 'models:\n  __proto__: { target: demo/echo }', 2, /^models\|has a key that is no plain name/],
  ['a merge key', 'a: &a { x: 1 }\n<<: *a', 1, /^a\|unknown setting/],
  ['NUL characters', 'listen: ":80"\n\0', null, /contains NUL/],
  ['bytes that are not UTF-8', Buffer.from([0x61, 0x3a, 0x20, 0xff]), null, /not UTF-8/],
  ['UTF-16', Buffer.from('\ufefflisten: ":80"', 'utf16le'), null, /not UTF-8/],
  ['10 MB', Buffer.alloc(10_000_000, 'a: 1\n'), null, /longer than 1048576 bytes/],
  ['a hundred thousand brackets', '['.repeat(100_000), 1, /nested too deeply/],
  ['forty levels', Array.from({ length: 40 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'), 33, /more than 32 levels/],
])('%s is one clear fault', (_, content, line, message) => {
  const faults = faultsOf(content);
  expect(faults[0]).toEqual([line, expect.stringMatching(message)]);
});

it('aliases that stand for billions of values end in a fault at once', () => {
  const levels = Array.from({ length: 12 }, (_, i) =>
    i === 0
      ? 'l0: &l0 [x, x, x, x, x, x, x, x, x]'
      : `l${i}: &l${i} [${Array(9)
          .fill(`*l${i - 1}`)
          .join(', ')}]`,
  );
  const before = performance.now();
  expect(faultsOf(levels.join('\n')).map(([, text]) => text)).toContain('|the file has more than 100 aliases');
  expect(performance.now() - before).toBeLessThan(2000);
});

it('a megabyte of keys is read in reasonable time', () => {
  const before = process.cpuUsage(); // time of this process: others may be busy
  const yaml = `models:\n${Array.from({ length: 25_000 }, (_, i) => `  m${i}: { target: demo/echo }\n`).join('')}`;
  expect(faultsOf(yaml)).toEqual([]);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1000).toBeLessThan(10_000);
});

it('an anchor used a few times is fine', () => {
  expect(faultsOf('keys:\n  - { name: a, tags: &t [x] }\n  - { name: b, tags: *t }')).toEqual([]);
});

it('a byte order mark and Windows line ends do not matter', () => {
  expect(faultsOf('\ufefflisten: ":80"\r\ndata_dir: ./d\r\n')).toEqual([]);
  expect(faultsOf('\ufefflisten: ":80"\r\nbad: 1\r\n')).toEqual([[2, 'bad|unknown setting']]);
});

it.each(['', '\n\n', '# only a comment\n', '---\n', '~'])('an empty file (%j) gives the defaults', (content) => {
  writeFileSync(file, content);
  expect(load()).toMatchObject({ ok: true, config: { live: { providers: [{ name: 'demo' }] } } });
});

it('a file without any text is worth a warning', () => {
  writeFileSync(file, '\n');
  expect(load()).toMatchObject({ config: { warnings: [{ message: 'the file is empty: everything is default' }] } });
});

it('a folder, a pipe and a file that may not be read are faults and hold nothing up', () => {
  mkdirSync(file);
  expect(load()).toMatchObject({ ok: false, faults: [{ message: 'the configuration file is not a regular file' }] });
  rmSync(file, { recursive: true });
  execFileSync('mkfifo', [file]);
  expect(load()).toMatchObject({ ok: false, faults: [{ message: 'the configuration file is not a regular file' }] });
});

it.each([
  ['limits: { drain_ms: "${MS}" }', '2500', 'drainMs', 2500],
  ['limits: { drain_ms: "${MS:-3000}" }', undefined, 'drainMs', 3000],
  ['limits: { drain_ms: "${MS:-}" }', undefined, 'drainMs', 120_000],
  ['limits: { body_bytes: "${MS}" }', '1e5', 'bodyLimitBytes', 100_000],
])('CFG-1: a number may come from a variable: %s', (yaml, value, field, expected) => {
  writeFileSync(file, yaml);
  const result = loadConfig({ env: { MS: value }, cwd, file });
  expect(result).toMatchObject({ ok: true, config: { boot: { [field]: expected } } });
});

it('CFG-1: true and false may come from a variable, other words are a fault', () => {
  writeFileSync(file, 'archive: { bodies: "${B}" }');
  const archive = (B: string): unknown => {
    const result = loadConfig({ env: { B }, cwd, file });
    return result.ok ? result.config.live.archive.bodies : result.faults[0]?.message;
  };
  expect([archive('true'), archive('false'), archive(''), archive('no')]).toEqual([
    true,
    false,
    true,
    'must be true or false',
  ]);
});

it('a number that comes from a variable has the same bounds as a written one', () => {
  writeFileSync(file, 'limits: { drain_ms: "${MS}" }');
  for (const MS of ['-5', '1.5', '99999999', 'NaN', '0x10', '1e999']) {
    expect(loadConfig({ env: { MS }, cwd, file })).toMatchObject({ ok: false, faults: [{ path: 'limits.drain_ms' }] });
  }
});

it('text that comes from a variable stays text, and its line breaks and colons are not YAML', () => {
  writeFileSync(file, 'providers: { a: { type: openai, api_key: "${K}" } }\ndata_dir: "${D}"');
  const result = loadConfig({ env: { K: '12345', D: '/d\nlisten: ":1"' }, cwd, file });
  expect(result).toMatchObject({ ok: true, config: { boot: { listen: { port: 8080 }, dataDir: '/d\nlisten: ":1"' } } });
});
