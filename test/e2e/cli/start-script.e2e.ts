// npm start from a fresh clone, without the network: a small clone with the real scripts, a compiler that copies, and a
// product that tells what happens to it.
import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { cleanEnvironment, eventually, repositoryFolder } from '../harness.js';
import { isRunning, processesNaming } from '../processes.js';

const base = mkdtempSync(path.join(os.tmpdir(), 'sf-start-'));
const clone = path.join(base, 'a clone with spaces');

const COMPILER = `import { cpSync } from 'node:fs';
cpSync('apps/cli/src/main.ts', 'dist/apps/cli/src/main.js', { recursive: true });
`;
const PRODUCT = `console.log('serving', process.pid, 'below', process.ppid, JSON.stringify(process.argv.slice(2)));
if (process.argv.includes('--exit')) process.exit(7);
let signals = 0;
process.on('SIGTERM', () => {
  signals += 1;
  console.log('signal ' + signals);
  if (signals === 2) process.exit(3);
  setTimeout(() => { console.log('ended in order'); process.exit(0); }, 2500);
});
process.once('disconnect', () => { console.log('channel closed'); setTimeout(() => process.exit(0), 200); });
setInterval(() => {}, 1000);
`;

function write(file: string, content: string | object): void {
  mkdirSync(path.dirname(path.join(clone, file)), { recursive: true });
  writeFileSync(
    path.join(clone, file),
    typeof content === 'string' ? content : `${JSON.stringify(content, null, 2)}\n`,
  );
}

/** The Node that the real clone brings along, by a link: as in the product, it is found as a platform package. */
function nodePackage(): Record<string, string> {
  const [, name] = /node_modules[/\\]([^/\\]+)[/\\]bin[/\\]node/.exec(process.execPath) ?? [];
  return name === undefined ? {} : { [name]: `file:${path.join(repositoryFolder, 'node_modules', name)}` };
}

interface Run {
  readonly process: ChildProcess;
  output(): string;
  /** Code and time (ms) of npm's end, and what was printed by then. */
  readonly ended: Promise<{ readonly code: number | null; readonly output: string }>;
}

function npm(...args: string[]): Run {
  const environment = Object.entries(cleanEnvironment()).filter(([name]) => !name.startsWith('npm_'));
  const child = spawn('npm', args, {
    cwd: clone,
    env: Object.fromEntries(environment),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => (text += part));
  const ended = new Promise<{ code: number | null; output: string }>((resolve) => {
    child.once('exit', (code) => resolve({ code, output: text }));
  });
  return { process: child, output: () => text, ended };
}

const serving = (run: Run): Promise<number> =>
  eventually('the product to serve', 60_000, () => {
    const pid = /serving (\d+)/.exec(run.output())?.[1];
    return pid === undefined ? null : Number(pid);
  });

const toGroup = (run: Run, signal: NodeJS.Signals): boolean => process.kill(-(run.process.pid as number), signal);

const times = (text: string, part: string): number => text.split(part).length - 1;

beforeAll(async () => {
  mkdirSync(clone);
  cpSync(path.join(repositoryFolder, 'scripts'), path.join(clone, 'scripts'), { recursive: true });
  const { scripts } = JSON.parse(readFileSync(path.join(repositoryFolder, 'package.json'), 'utf8')) as {
    scripts: object;
  };
  write('package.json', {
    name: 'smartflow',
    version: '0.0.0',
    type: 'module',
    private: true,
    scripts,
    dependencies: { typescript7: 'file:compiler', ...nodePackage() },
  });
  write('compiler/package.json', { name: 'typescript7', version: '7.0.0', type: 'module' });
  write('compiler/bin/tsc', COMPILER);
  write('tsconfig.build.json', {});
  write('apps/cli/src/main.ts', PRODUCT);
  const lock = await npm('install', '--package-lock-only', '--offline', '--ignore-scripts', '--no-audit').ended;
  if (lock.code !== 0) throw new Error(lock.output);
}, 60_000);

afterAll(async () => {
  await eventually('the end of every product', 20_000, () => (processesNaming(clone).length === 0 ? true : null));
  rmSync(base, { recursive: true, force: true, maxRetries: 5 });
});

it('OPS-1: two starts at once on a fresh clone install and build once, and both serve', async () => {
  const runs = [npm('start'), npm('start', '--', '--config', 'a b')] as const;
  await Promise.all(runs.map(serving));
  const both = runs.map((run) => run.output()).join('');
  expect(times(both, 'Installing dependencies')).toBe(1);
  expect(times(both, 'Building …')).toBe(1);
  expect(runs[0].output()).toContain('["serve"]');
  expect(runs[1].output()).toContain('["serve","--config","a b"]');
  for (const run of runs) toGroup(run, 'SIGTERM');
  for (const run of runs) expect(await run.ended).toMatchObject({ code: 0 });
}, 120_000);

it('OPS-1: a SIGTERM to the whole group reaches the product once, and npm returns after the product has ended', async () => {
  const run = npm('start');
  const pid = await serving(run);
  expect(run.output()).not.toMatch(/Installing|Building/);
  toGroup(run, 'SIGTERM');
  const { code, output } = await run.ended;
  expect(isRunning(pid)).toBe(false);
  expect(code).toBe(0);
  expect(times(output, 'signal')).toBe(1);
  expect(output).toContain('ended in order');
}, 60_000);

it('OPS-1: Ctrl-C is the same; a second one, a second later, ends the product at once', async () => {
  const run = npm('start');
  const pid = await serving(run);
  toGroup(run, 'SIGINT');
  await eventually('the first signal', 5_000, () => (run.output().includes('signal 1') ? true : null));
  await new Promise((resolve) => setTimeout(resolve, 1_100)); // within a second it would count as the same one
  toGroup(run, 'SIGINT');
  const { code, output } = await run.ended;
  expect(isRunning(pid)).toBe(false);
  expect(output).not.toContain('ended in order');
  expect(code).toBe(3);
}, 60_000);

it('OPS-1: when the start script is killed, the product notices and ends', async () => {
  const run = npm('start');
  const pid = await serving(run);
  const script = Number(/below (\d+)/.exec(run.output())?.[1]);
  process.kill(script, 'SIGKILL');
  await eventually('the end of the product', 10_000, () => (isRunning(pid) ? null : true));
  await run.ended;
  expect(run.output()).toContain('channel closed');
}, 60_000);

it("OPS-1: the product's exit code is npm's", async () => {
  const { code } = await npm('start', '--', '--exit').ended;
  expect(code).toBe(7);
}, 60_000);

it('a changed source is built again, an unchanged one is not', async () => {
  write('apps/cli/src/main.ts', `console.log('changed');\n`);
  const changed = await npm('start').ended;
  expect(changed.output).toContain('Building …');
  expect(changed.output).toContain('changed');
  expect((await npm('start').ended).output).not.toContain('Building …');
}, 60_000);

it('a build that fails is reported, exits 1 and can be repeated', async () => {
  write('tsconfig.build.json', { changed: true });
  write('compiler/bin/tsc', `console.log('error TS1: wrong'); process.exit(2);\n`);
  const failed = await npm('start').ended;
  expect(failed.code).toBe(1);
  expect(failed.output).toContain('error TS1: wrong');
  expect(failed.output).toContain('building failed');
  write('compiler/bin/tsc', COMPILER);
  expect((await npm('start').ended).output).toContain('Building …');
}, 60_000);
