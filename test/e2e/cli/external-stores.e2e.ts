import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startTestPostgres, startTestRedis, type TestPostgres, type TestRedis } from '#libs/stores/testing.js';
import { cleanEnvironment, cliEntry, eventually, runCli, startProduct } from '../harness.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'sf-external-'));
let postgres: TestPostgres;
let redis: TestRedis;
const running: ChildProcess[] = [];

beforeAll(async () => {
  [postgres, redis] = await Promise.all([startTestPostgres(), startTestRedis()]);
}, 60_000);

afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await Promise.all([postgres.stop(), redis.stop()]);
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

const environment = (name: string): Record<string, string> => ({
  DATABASE_URL: postgres.ownerUrl.reveal(),
  REDIS_URL: redis.url.reveal(),
  SMARTFLOW_PORT: '0',
  SMARTFLOW_DATA_DIR: path.join(folder, name),
});

/** Starts a command that stays; resolves once it has printed `text`. */
async function start(
  command: string,
  name: string,
  text: RegExp,
): Promise<{ readonly child: ChildProcess; readonly match: string }> {
  const child = spawn(process.execPath, [cliEntry, command], {
    cwd: folder,
    env: cleanEnvironment(environment(name)),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => (output += part));
  const match = await eventually(`${command} to be ready:\n${output}`, 30_000, () => text.exec(output)?.[1]);
  return { child, match };
}

const stop = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => {
    child.once('exit', (code) => resolve(code));
    child.kill('SIGTERM');
  });

async function call(url: string, key: string): Promise<number> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'demo/echo', messages: [{ role: 'user', content: 'Hello' }] }),
    signal: AbortSignal.timeout(10_000),
  });
  await response.text();
  return response.status;
}

it('OPS-1: migrate brings the schema up to date, and a second time has nothing to do', async () => {
  const first = await runCli(['migrate'], { env: environment('migrate') });
  expect(first).toMatchObject({ code: 0, stderr: '' });
  expect((await runCli(['migrate'], { env: environment('migrate') })).stdout).toContain('is up to date');
  expect(first.stdout + first.stderr).not.toContain(new URL(postgres.ownerUrl.reveal()).password);
}, 60_000);

it('OPS-2 CFG-2: gateways and a worker of their own on shared stores form one cluster: a key of one works on the other', async () => {
  const readyFile = path.join(folder, 'ready.json');
  const made = await runCli(['bootstrap', '--ready-file', readyFile], { env: environment('one') });
  expect(made).toEqual({ code: 0, stdout: '', stderr: '' });
  expect(statSync(readyFile).mode & 0o777).toBe(0o600);
  const { key } = JSON.parse(readFileSync(readyFile, 'utf8')) as { key: string };
  const [one, two, worker] = await Promise.all([
    start('gateway', 'one', /serves on (\S+)/),
    start('gateway', 'two', /serves on (\S+)/),
    start('worker', 'worker', /(worker started)/),
  ]);
  expect(await Promise.all([call(one.match, key), call(two.match, key)])).toEqual([200, 200]);
  expect(await Promise.all([one.child, two.child, worker.child].map(stop))).toEqual([0, 0, 0]);
}, 90_000);

it('CFG-2: serve on external stores serves, says so, and leaves them running', async () => {
  const { DATABASE_URL, REDIS_URL } = environment('serve') as { DATABASE_URL: string; REDIS_URL: string };
  const product = await startProduct({ env: { DATABASE_URL, REDIS_URL } });
  try {
    expect(product.logs()).toContain(`PostgreSQL 18.4 at ${new URL(DATABASE_URL).host}`);
    expect(await call(product.url, product.key)).toBe(200);
  } finally {
    expect(await product.stop()).toBe(0);
  }
  expect((await runCli(['migrate'], { env: environment('migrate') })).code).toBe(0);
}, 120_000);

it('a store that cannot be reached is named with its address, without its password, and the start fails', async () => {
  const env = { ...environment('nowhere'), REDIS_URL: 'redis://:hidden-password@127.0.0.1:1' };
  const outcome = await runCli(['serve'], { env });
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toContain('127.0.0.1:1');
  expect(outcome.stdout + outcome.stderr).not.toContain('hidden-password');
}, 60_000);
