import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Environment } from './environment.js';
import { loadConfig } from './load.js';
import { renderReport } from './validate.js';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'sf-validate-'));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

function report(yaml: string | null, env: Environment = {}, name?: string): string {
  if (yaml !== null) writeFileSync(join(cwd, 'smartflow.yaml'), yaml);
  return renderReport(loadConfig({ env, cwd }), name);
}

it('CFG-1: one line for each fault with file, line and path, then a summary', () => {
  expect(report('listn: ":80"\nkeys: [{ name: a, key: short }]\ncache: {}', { SMARTFLOW_PORT: 'x' }, 'my.yaml')).toBe(
    [
      'environment: error: SMARTFLOW_PORT: must be a port from 0 (any free one) to 65535',
      'my.yaml:1: error: listn: unknown setting (did you mean "listen"?)',
      'my.yaml:2: error: keys[0].key: must have 20 to 256 visible ASCII characters, without blanks',
      'my.yaml:3: warning: cache: the cache is not part of this version',
      '',
      '3 errors, 1 warning: the configuration cannot be used.',
      '',
    ].join('\n'),
  );
});

it('CFG-1: a valid file is summed up', () => {
  expect(report('keys: [{ name: a }]', {}, 'my.yaml')).toBe('my.yaml: valid (1 provider, 0 models, 1 key).\n');
  expect(report('cache: {}', {}, 'my.yaml')).toContain('valid (1 provider, 0 models, 0 keys, 1 warning).');
});

it('CFG-1: without a name the file is called by its full path, and without a file the defaults are valid', () => {
  expect(report(null)).toBe('No file; defaults: valid (1 provider, 0 models, 0 keys).\n');
  expect(report('- a')).toBe(
    `${cwd}/smartflow.yaml:1: error: the file is no mapping: write settings as "name: value"\n\n1 error: the configuration cannot be used.\n`,
  );
});

it('a fault of the file as a whole has no line', () => {
  const result = loadConfig({ env: {}, cwd, file: 'gone.yaml' });
  expect(renderReport(result, 'gone.yaml')).toContain('gone.yaml: error: the configuration file does not exist\n');
});

it('control characters of a file never reach the terminal', () => {
  expect(report('"\\u001b[2J\\u0007": 1\n"a\\r\\nb": 1')).not.toMatch(/[\u0007\u001b\r]/);
});
