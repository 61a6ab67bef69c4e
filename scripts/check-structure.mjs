// What no linter sees: names of folders, one entry and one README per library, unfinished marks, paths of somebody's machine.
// Usage: node scripts/check-structure.mjs [folder]     (default: this repository; tests give it a planted tree)
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(process.argv[2] ?? path.dirname(import.meta.dirname));
const faults = [];
const fault = (file, text) => faults.push(`${file}: ${text}`);

/** Files of the repository: tracked, or new and not ignored. */
function listFiles() {
  const run = spawnSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  if (run.status !== 0) throw new Error(`git ls-files failed: ${run.stderr}`);
  return [...new Set(run.stdout.split('\0'))].filter((file) => file !== '' && existsSync(path.join(root, file)));
}

const files = listFiles();
const code = files.filter(
  (file) => /^(apps|libs|test|scripts|web)\/.*\.(ts|tsx|mjs|cjs)$/.test(file) && !file.startsWith('test/fixtures/'),
);
const product = code.filter((file) => /^(apps|libs|web)\//.test(file));
const isTest = (file) => /\.(spec|e2e|contract)\.ts$/.test(file) || file.startsWith('test/');
const read = (file) => readFileSync(path.join(root, file), 'utf8');

/** No room whose name says nothing. */
const CATCH_ALL = /^(utils?|helpers?|common|misc|shared)(\.[a-z]+)*$/;
for (const file of code) {
  const vague = file.split('/').find((part) => CATCH_ALL.test(part));
  if (vague !== undefined) fault(file, `"${vague}" says nothing: name it after what it decides or holds`);
  if (!/^[a-z0-9.-]+$/.test(path.basename(file))) fault(file, 'file names are kebab-case');
}

/** One curated entry per library and a ten-line README. */
const libs = new Set(files.filter((file) => /^libs\/[^/]+\/./.test(file)).map((file) => file.split('/')[1]));
for (const lib of libs) {
  const readme = `libs/${lib}/README.md`;
  if (!files.includes(readme)) fault(readme, 'missing: ten lines on purpose, may import, entry points, how to test');
  else {
    const lines = read(readme).trim().split('\n').length;
    if (lines > 40) fault(readme, `${lines} lines; ten are wanted, 40 is the cap, a manual belongs in docs/`);
  }
  if (lib !== 'platform' && !files.includes(`libs/${lib}/index.ts`))
    fault(`libs/${lib}/index.ts`, 'missing: the one curated entry');
}
for (const file of product) {
  // the migrations' index is a list in order, not a barrel; the demo provider is a server of its own
  const list = /^libs\/([^/]+|stores\/migrations|providers\/demo)\/index\.ts$/;
  if (path.basename(file) === 'index.ts' && !list.test(file)) fault(file, 'no barrels inside a library or an app');
}

/** A file that only re-exports is a barrel, whatever its name. */
const ENTRY = /^libs\/([^/]+|providers\/demo)\/index\.ts$|^libs\/platform\/[^/]+\.ts$|^libs\/stores\/testing\.ts$/;
for (const file of product.filter((name) => name.endsWith('.ts') && !isTest(name))) {
  const bare = read(file)
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
    .trim();
  const rest = bare.replace(/export\s+(type\s+)?(\*(\s+as\s+\w+)?|\{[^}]*\})\s+from\s+'[^']+';?/g, '').trim();
  if (bare !== '' && rest === '' && !ENTRY.test(file)) fault(file, 'a barrel: it only re-exports');
  if (ENTRY.test(file) && /\/index\.ts$/.test(file) && bare.split('\n').length > 80)
    fault(file, 'an entry this long is a library too many');
  if (ENTRY.test(file) && /export\s+\*\s+from/.test(bare)) fault(file, 'an entry names what it exports');
}

/** Nothing unfinished is committed. */
for (const file of code.filter((name) => name !== 'scripts/check-structure.mjs' && !name.startsWith('test/house/'))) {
  const marks = read(file).match(/\b(TODO|FIXME|XXX|HACK)\b|not implemented yet|@ts-nocheck/);
  if (marks !== null) fault(file, `unfinished mark "${marks[0]}"`);
}

/** A test is skipped only for want of a peer, in a contract suite, and says so where the results are read. */
for (const file of code.filter((name) => name.startsWith('test/contract/'))) {
  for (const [call] of read(file).matchAll(/\.skip\b.*$/gm))
    if (!/^\.skip\([`'"].*SKIPPED/.test(call)) fault(file, `a skip without "SKIPPED, <why>" in its title: ${call}`);
}

/** Nothing committed names a folder of somebody's machine or where packages were fetched from. */
const TEXT = /\.(ts|tsx|mjs|cjs|js|json|ya?ml|md|sql|lua|sh|txt)$|(^|\/)(Dockerfile|\.npmrc|NOTICE)$/;
const HOMES = /(^|[^A-Za-z0-9_.-])\/(work|farm|root|home\/[a-z]+|Users\/[A-Za-z]+)\/[A-Za-z.]/m;
for (const file of files.filter(
  (name) => TEXT.test(name) && !name.startsWith('test/fixtures/') && !name.startsWith('test/house/'),
)) {
  if (file === 'scripts/check-structure.mjs' || statSync(path.join(root, file)).size > 2 << 20) continue;
  const found = HOMES.exec(read(file));
  if (found !== null) fault(file, `names a folder of one machine: "${found[0].trim()}…"`);
}

for (const line of faults) console.error(line);
console.log(`structure: ${files.length} files, ${libs.size} libraries, ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
