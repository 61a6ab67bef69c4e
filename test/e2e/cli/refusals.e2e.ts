import { mkdir, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { mkdtempSync } from 'node:fs';
import { runCli, startProduct, StartFailed, temporaryDataDir } from '../harness.js';
import { processesNaming } from '../processes.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'sf-refusals-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

async function failedStart(options: Parameters<typeof startProduct>[0]): Promise<StartFailed> {
  const outcome = await startProduct(options).catch((error: unknown) => error);
  if (!(outcome instanceof StartFailed)) throw new Error('it started');
  return outcome;
}

it('OPS-1: a taken port is said plainly, names the setting, exits 1 and leaves nothing running', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as net.AddressInfo;
  const dataDir = await temporaryDataDir();
  try {
    const { exitCode, logs } = await failedStart({ dataDir, port });
    expect(exitCode).toBe(1);
    expect(logs).toMatch(new RegExp(`Port ${port} is taken.*listen.*SMARTFLOW_PORT`, 's'));
    expect(processesNaming(dataDir)).toEqual([]);
  } finally {
    server.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}, 60_000);

it('CFG-1: a faulty file is refused with every fault and its line, exit 1, nothing started', async () => {
  const config = [
    'listne: ":8080"',
    'providers:',
    '  local: { type: openai-compatible }',
    'limits: { drain_ms: soon }',
  ].join('\n');
  const { exitCode, logs } = await failedStart({ config });
  expect(exitCode).toBe(1);
  for (const part of [':1:', 'listen', ':3:', 'base_url', ':4:', 'drain_ms']) expect(logs).toContain(part);
  expect(logs).not.toContain('PostgreSQL');
}, 30_000);

it('CFG-1: validate lists every fault with exit 1, and accepts a right file with exit 0', async () => {
  const wrong = path.join(folder, 'wrong.yaml');
  const right = path.join(folder, 'right.yaml');
  await writeFile(wrong, 'listne: ":8080"\nlog: { level: loud }\n');
  await writeFile(right, 'models: { fast: { target: demo/echo } }\n');
  const refused = await runCli(['validate', wrong]);
  expect(refused.code).toBe(1);
  expect(refused.stdout).toContain(`${wrong}:1:`);
  expect(refused.stdout).toContain(`${wrong}:2:`);
  const accepted = await runCli(['validate', right]);
  expect(accepted).toMatchObject({ code: 0, stderr: '' });
  expect(accepted.stdout).toContain('valid');
}, 30_000);

it.each([
  [['srve'], 'did you mean "serve"?'],
  [['serve', '--confg', 'x'], "Unknown option '--confg'"],
  [['serve', '--config'], '--config'],
  [['serve', '--config='], '--config needs a value'],
  [['version', 'extra'], 'unexpected argument "extra"'],
  [['help', 'nothing'], 'no command "nothing"'],
])('wrong usage %j is explained and exits 2', async (args, text) => {
  const { code, stdout, stderr } = await runCli(args);
  expect(code).toBe(2);
  expect(stderr).toContain(text);
  expect(stdout).toBe('');
});

it('help lists every command, and the options of each', async () => {
  const { code, stdout } = await runCli(['--help']);
  expect(code).toBe(0);
  for (const name of ['serve', 'gateway', 'worker', 'migrate', 'bootstrap', 'validate', 'doctor', 'version', 'help'])
    expect(stdout).toContain(`  ${name}`);
  expect((await runCli(['serve', '--help'])).stdout).toContain('--ready-file');
  expect((await runCli(['--version'])).stdout).toMatch(/^smartflow \d+\.\d+\.\d+ /);
});

it('a ready file that cannot be written is refused before anything starts', async () => {
  const { code, stderr } = await runCli(['serve', '--ready-file', path.join(folder, 'missing', 'ready.json')], {
    env: { SMARTFLOW_PORT: '0', SMARTFLOW_DATA_DIR: path.join(folder, 'data') },
  });
  expect(code).toBe(1);
  expect(stderr).toContain('SMARTFLOW_READY_FILE');
});

it('a data folder that is a file is refused with the name of the setting', async () => {
  const file = path.join(folder, 'a-file');
  await writeFile(file, '');
  const { code, stderr } = await runCli(['serve'], { env: { SMARTFLOW_PORT: '0', SMARTFLOW_DATA_DIR: file } });
  expect(code).toBe(1);
  expect(stderr).toContain('SMARTFLOW_DATA_DIR');
});

it.each(['gateway', 'worker', 'migrate', 'bootstrap'])(
  'OPS-1: %s without external stores says which settings are missing',
  async (name) => {
    await mkdir(path.join(folder, 'alone'), { recursive: true });
    const { code, stderr } = await runCli([name], { cwd: path.join(folder, 'alone') });
    expect(code).toBe(1);
    expect(stderr).toContain('DATABASE_URL');
  },
);

it('doctor passes on a clean machine and fails, naming the store, when one cannot be reached', async () => {
  const env = { SMARTFLOW_PORT: '0', SMARTFLOW_DATA_DIR: path.join(folder, 'fresh') };
  const good = await runCli(['doctor'], { env });
  expect(good).toMatchObject({ code: 0, stderr: '' });
  const bad = await runCli(['doctor'], { env: { ...env, REDIS_URL: 'redis://:hidden-password@127.0.0.1:1' } });
  expect(bad.code).toBe(1);
  expect(bad.stdout).toMatch(/FAIL {2}Redis .*127\.0\.0\.1:1/);
  expect(bad.stdout).not.toContain('hidden-password');
}, 30_000);
