// Starts the built product (dist) the way a user's start does, on a data folder of its own, for every end-to-end test.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { endProcesses, processesNaming } from './processes.js';

export interface ProductOptions {
  /** Contents of `smartflow.yaml`: text, or an object written as JSON (which YAML contains). */
  readonly config?: string | Readonly<Record<string, unknown>>;
  /** Added to an environment without any store URL or SMARTFLOW_ variable of the caller. */
  readonly env?: Readonly<Record<string, string>>;
  /** Only the bundled stores, also where servers are found on PATH. */
  readonly bundledStores?: boolean;
  /** A folder to start on (again); it is kept by `stop()`. Absent: a new one, removed by `stop()`. */
  readonly dataDir?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** How long the start may take, default 90000. */
  readonly startMs?: number;
}

export interface Product {
  /** Address of the gateway, without a slash at the end. */
  readonly url: string;
  readonly consoleUrl: string;
  readonly adminToken: string;
  /** The first virtual key: it may use every model. */
  readonly key: string;
  readonly dataDir: string;
  readonly configFile: string;
  readonly readyFile: string;
  /** Process id of the supervisor. */
  readonly pid: number;
  /** All that was printed so far, standard output and error together. */
  logs(): string;
  /** Resolves with the exit code (128 + signal number after a signal) once the supervisor has ended. */
  readonly exited: Promise<number>;
  /** Orderly stop (SIGTERM); resolves with the exit code. Removes the data folder when the harness made it. */
  stop(): Promise<number>;
  /** `kill -9` of the supervisor. Start again on `dataDir`, or call `cleanUp()`, or the stores stay. */
  kill(): Promise<void>;
  /** Ends whatever is left of this product and removes the data folder when the harness made it. */
  cleanUp(): Promise<void>;
}

/** A start that did not reach readiness. */
export class StartFailed extends Error {
  readonly exitCode: number | null;
  readonly logs: string;
  constructor(exitCode: number | null, logs: string) {
    super(
      `the product did not start (${exitCode === null ? 'time is up' : `exit ${exitCode}`}):\n${logs.slice(-4000)}`,
    );
    this.exitCode = exitCode;
    this.logs = logs;
  }
}

/** The folder of package.json. */
export const repositoryFolder = findRepository();
/** The command as built. */
export const cliEntry = path.join(repositoryFolder, 'dist', 'apps', 'cli', 'src', 'main.js');

function findRepository(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, 'package.json'))) folder = path.dirname(folder);
  return folder;
}

/** The caller's environment without what would steer the product elsewhere. */
export function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(SMARTFLOW_|PG|NODE_OPTIONS$|DATABASE_URL|REDIS_URL|MONGODB_URL)/.test(name),
  );
  return { ...Object.fromEntries(kept), ...extra };
}

/** A new data folder that the stores' own account can pass through (root runs PostgreSQL as another account). */
export async function temporaryDataDir(): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'sf-e2e-'));
  await chmod(folder, 0o755);
  return folder;
}

/** Runs a command of the CLI to its end, at most 60 s. */
export async function runCli(
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const child = spawn(process.execPath, [cliEntry, ...args], {
    cwd: options.cwd ?? os.tmpdir(),
    env: cleanEnvironment(options.env),
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return { code: await exitOf(child), stdout, stderr };
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : os.constants.signals[signal])));
  });
}

async function writeConfig(folder: string, options: ProductOptions): Promise<string> {
  const file = path.join(folder, 'smartflow.yaml');
  const stores = options.bundledStores === true ? { stores: { redis: 'bundled', postgres: 'bundled' } } : {};
  if (typeof options.config === 'string') {
    const extra = options.bundledStores === true ? `\nstores: ${JSON.stringify(stores.stores)}\n` : '';
    await writeFile(file, options.config + extra);
  } else {
    await writeFile(file, JSON.stringify({ ...stores, ...options.config }, null, 2));
  }
  return file;
}

/**
 * Starts the product and waits until its ready file is there. Throws `StartFailed` when it ends before or time is up.
 * The product stops by itself when the test process dies (its channel to the supervisor closes).
 */
export async function startProduct(options: ProductOptions = {}): Promise<Product> {
  if (!existsSync(cliEntry)) throw new Error(`${cliEntry} is missing: build first (npm run build)`);
  const dataDir = options.dataDir ?? (await temporaryDataDir());
  const ownFolder = options.dataDir === undefined;
  const runDir = await mkdtemp(path.join(os.tmpdir(), 'sf-e2e-run-'));
  const configFile = await writeConfig(runDir, options);
  const readyFile = path.join(runDir, 'ready.json');
  await mkdir(dataDir, { recursive: true });
  const child = spawn(process.execPath, [cliEntry, 'serve', '--config', configFile, '--ready-file', readyFile], {
    cwd: runDir,
    env: cleanEnvironment({ SMARTFLOW_PORT: String(options.port ?? 0), SMARTFLOW_DATA_DIR: dataDir, ...options.env }),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  let code: number | null = null;
  const exited = exitOf(child).then((value) => (code = value));

  const cleanUp = async (): Promise<void> => {
    if (code === null) child.kill('SIGKILL');
    await exited;
    await endProcesses(processesNaming(dataDir), 10_000);
    await rm(runDir, { recursive: true, force: true });
    if (ownFolder) await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
  };
  const deadline = Date.now() + (options.startMs ?? 90_000);
  while (!existsSync(readyFile)) {
    if (code !== null || Date.now() > deadline) {
      const failed = new StartFailed(code, output);
      await cleanUp();
      throw failed;
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  const ready = JSON.parse(readFileSync(readyFile, 'utf8')) as Pick<
    Product,
    'url' | 'consoleUrl' | 'adminToken' | 'key'
  >;
  return {
    ...ready,
    dataDir,
    configFile,
    readyFile,
    pid: child.pid as number,
    logs: () => output,
    exited,
    async stop() {
      if (code === null) child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 60_000);
      const result = await exited;
      clearTimeout(late);
      await cleanUp();
      return result;
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    cleanUp,
  };
}

/**
 * Asks until `probe` gives something other than `null` or `undefined`; throws after `withinMs`. For states, never for sleeping.
 * @param everyMs longer where each question costs a process
 */
export async function eventually<T>(
  what: string,
  withinMs: number,
  probe: () => Promise<T | null | undefined> | T | null | undefined,
  everyMs = 50,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  let last: unknown = null;
  for (;;) {
    try {
      const value = await probe();
      if (value !== null && value !== undefined) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** The ids of the product's own processes, as the supervisor recorded them in the data folder. */
export async function recordedChildren(
  dataDir: string,
): Promise<{ readonly supervisor: number; readonly gateway: number; readonly worker: number }> {
  const record = JSON.parse(await readFile(path.join(dataDir, 'run.json'), 'utf8')) as {
    supervisor: { pid: number };
    children: { name: string; pid: number }[];
  };
  const pidOf = (name: string): number => {
    const found = record.children.find((child) => child.name === name);
    if (found === undefined) throw new Error(`no ${name} in run.json`);
    return found.pid;
  };
  return { supervisor: record.supervisor.pid, gateway: pidOf('gateway'), worker: pidOf('worker') };
}
