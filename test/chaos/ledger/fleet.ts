// Gateways and workers of the built product, each a process of its own that is started again whenever it has ended.
import { spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cleanEnvironment, cliEntry } from '../../e2e/harness.js';

/** A place for one process at a time. */
export class Slot {
  readonly name: string;
  readonly #command: 'gateway' | 'worker';
  readonly #configFile: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #logFile: string;
  readonly dataDir: string;
  #process: ChildProcess | null = null;
  #isEnding = false;

  constructor(parts: {
    readonly name: string;
    readonly command: 'gateway' | 'worker';
    readonly configFile: string;
    readonly dataDir: string;
    readonly env: Readonly<Record<string, string>>;
    readonly logFile: string;
  }) {
    ({ name: this.name, command: this.#command, configFile: this.#configFile, env: this.#env } = parts);
    ({ dataDir: this.dataDir, logFile: this.#logFile } = parts);
    mkdirSync(this.dataDir, { recursive: true });
  }

  start(): void {
    const child = spawn(process.execPath, [cliEntry, this.#command, '--config', this.#configFile], {
      env: cleanEnvironment({ ...this.#env, SMARTFLOW_DATA_DIR: this.dataDir }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => appendFileSync(this.#logFile, text));
    this.#process = child;
    child.once('exit', (code, signal) => {
      if (this.#isEnding) return;
      appendFileSync(this.#logFile, `-- ${this.name} ended: ${signal ?? code}\n`);
      setTimeout(() => this.start(), 100 + Math.random() * 300);
    });
  }

  /** After `stop`. */
  startAgain(): void {
    this.#isEnding = false;
    this.start();
  }

  get isRunning(): boolean {
    return this.#process !== null && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  signal(signal: NodeJS.Signals): boolean {
    return this.isRunning && (this.#process as ChildProcess).kill(signal);
  }

  /** Stopped for a while, as a busy host stops a process. */
  pause(forMs: number): void {
    const child = this.#process;
    if (!this.signal('SIGSTOP')) return;
    setTimeout(() => child?.kill('SIGCONT'), forMs);
  }

  /** Orderly stop. @returns the exit code */
  async stop(): Promise<number> {
    this.#isEnding = true;
    const child = this.#process;
    if (child === null || !this.isRunning) return -1;
    const ended = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? -1)));
    child.kill('SIGCONT');
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 30_000);
    const code = await ended;
    clearTimeout(late);
    return code;
  }

  killForGood(): void {
    this.#isEnding = true;
    this.#process?.kill('SIGKILL');
  }
}

/** Spools of a data folder: one folder per process. */
export function spoolsOf(dataDir: string): string[] {
  const root = path.join(dataDir, 'spool');
  return existsSync(root) ? readdirSync(root) : [];
}

/** Kills a gateway and takes its spools away. @returns the processes whose spool is gone */
export async function loseDisk(slot: Slot, graveyard: string): Promise<string[]> {
  slot.signal('SIGKILL');
  const lost: string[] = [];
  for (const name of spoolsOf(slot.dataDir)) {
    try {
      renameSync(path.join(slot.dataDir, 'spool', name), path.join(graveyard, name));
      lost.push(name);
    } catch {
      // its next process was faster
    }
  }
  await sleep(50);
  return lost;
}

export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false;
  }
}
