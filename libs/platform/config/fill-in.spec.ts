import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Variables } from './environment.js';
import { fillIn } from './fill-in.js';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'sf-fill-'));
  writeFileSync(join(cwd, 'secret'), '\n  from file \n');
  writeFileSync(join(cwd, 'binary'), Buffer.from([0xff, 0xfe, 0x00]));
  writeFileSync(join(cwd, 'long'), 'x'.repeat(70_000));
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const env = {
  A: 'alpha',
  EMPTY: '',
  NESTED: '${A}',
  F_FILE: 'secret',
  A_FILE: 'secret',
  EMPTY_FILE: 'secret',
  GONE_FILE: 'gone',
  FOLDER_FILE: '.',
  BINARY_FILE: 'binary',
  LONG_FILE: 'long',
};
const fill = (text: string): ReturnType<typeof fillIn> => fillIn(text, new Variables(env, cwd));

it.each([
  ['${A}', 'alpha', true],
  ['x-${A}-${A}y', 'x-alpha-alphay', false],
  ['${NONE:-default}', 'default', true],
  ['${NONE:-}', '', true],
  ['${NONE:-a:-b}', 'a:-b', true],
  ['${EMPTY}', 'from file', true],
  ['${A:-default}', 'alpha', true],
  ['${F}', 'from file', true],
  ['${F:-default}', 'from file', true],
  ['$${A}', '${A}', false],
  ['$A $ {A} $', '$A $ {A} $', false],
  ['${NESTED}', '${A}', true],
  ['no variable', 'no variable', false],
])('CFG-1: %s becomes %s', (written, text, whole) => {
  expect(fill(written)).toEqual({ text, whole, problems: [] });
});

it('CFG-1: the default counts for an empty variable too, as in a shell', () => {
  expect(fillIn('${E:-x}', new Variables({ E: '' }, cwd)).text).toBe('x');
  expect(fillIn('${E}', new Variables({ E: '' }, cwd)).text).toBe('');
});

it.each([
  ['${NONE}', /the variable NONE is not set: set it \(or NONE_FILE\), or write \$\{NONE:-\}/],
  ['${GONE}', /the file named by GONE_FILE does not exist/],
  ['${GONE:-default}', /the file named by GONE_FILE does not exist/],
  ['${FOLDER}', /FOLDER_FILE is not a regular file/],
  ['${BINARY}', /BINARY_FILE is not UTF-8 text/],
  ['${LONG}', /LONG_FILE is longer than 65536 bytes/],
  ['${}', /malformed/],
  ['${A', /malformed/],
  ['${A B}', /malformed/],
  ['${1A}', /malformed/],
  ['${A-x}', /malformed/],
  ['${A:-${B}}', /malformed/],
])('%s is a problem and stays as written', (written, problem) => {
  const filled = fill(written);
  expect(filled.problems).toEqual([expect.stringMatching(problem)]);
  expect(filled.text).toBe(written);
});

it('remembers the files it has read, so that the watcher can follow them', () => {
  const variables = new Variables(env, cwd);
  fillIn('${A} ${F} ${GONE:-}', variables);
  expect([...variables.files]).toEqual([join(cwd, 'secret'), join(cwd, 'gone')]);
});

it('a long text of dollars and braces takes no time', () => {
  const before = performance.now();
  fill('${'.repeat(100_000));
  fill('$'.repeat(200_000));
  expect(performance.now() - before).toBeLessThan(2000);
});
