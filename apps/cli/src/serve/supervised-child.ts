import { fork, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { pack, type Boot, type ChildName, type FromChild } from './messages.js';

/** What a child is run with. */
export interface ChildOptions {
  /** The script of the process. */
  readonly script: string;
  /** The longest first start, stores being there already. */
  readonly startMs: number;
  /** A child that served shorter than this, or never became ready, died "at once". */
  readonly stableMs: number;
  /** Before the first restart; doubled for each further death at once. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** One death at once more in a row and restarting is given up. */
  readonly maxInstantDeaths: number;
}

/** A young generation with room for the calls of a busy moment: fewer collections, and fewer calls grow old in them. */
const HEAP_FLAGS = ['--max-semi-space-size=32'];

const DEFAULTS: ChildOptions = {
  script: path.join(import.meta.dirname, 'child.js'),
  startMs: 90_000,
  stableMs: 30_000,
  firstPauseMs: 200,
  longestPauseMs: 10_000,
  maxInstantDeaths: 8,
};

/** What a child said or did that ended its start. */
export class ChildFailed extends Error {
  readonly child: ChildName;
  /** Such as `EADDRINUSE`; `null` when the failure has no code. */
  readonly code: string | null;
  constructor(child: ChildName, code: string | null, message: string) {
    super(message);
    this.child = child;
    this.code = code;
  }
}

export interface ChildHooks {
  /** A line for the log. */
  log(level: 'info' | 'warn' | 'error', text: string): void;
  /** A process of this child runs now. */
  onSpawn(pid: number): void;
  /** It died too often; the product cannot go on. */
  onGiveUp(failure: ChildFailed): void;
}

/**
 * Keeps one child process alive: starts it, starts it again after it died (200 ms, doubling up to 10 s), gives up after
 * eight deaths at once in a row, and stops it within a bound. The process is in a group of its own, so that a terminal's
 * Ctrl-C reaches only the supervisor, which stops its children in order.
 */
export class SupervisedChild {
  readonly name: ChildName;
  readonly #hooks: ChildHooks;
  readonly #options: ChildOptions;
  #process: ChildProcess | null = null;
  #boot: Boot | null = null;
  #stopping = false;
  #wasReady = false;
  #instantDeaths = 0;
  #readySinceMs: number | null = null;
  #failure: ChildFailed | null = null;
  #restart: NodeJS.Timeout | null = null;
  #settleFirst: { resolve(url: string | null): void; reject(failure: ChildFailed): void } | null = null;

  constructor(name: ChildName, hooks: ChildHooks, options: Partial<ChildOptions> = {}) {
    this.name = name;
    this.#hooks = hooks;
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Starts the process, which loads its code and waits for {@link start}: this overlaps with the start of the stores. */
  warmUp(): void {
    this.#spawn();
  }

  /**
   * Hands over the settings and waits until the child serves; resolves with its URL (gateway) or `null`.
   * Rejects with {@link ChildFailed} when it reports a failure or dies: the first start is not repeated.
   */
  start(boot: Boot): Promise<string | null> {
    this.#boot = boot;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#settle(new ChildFailed(this.name, null, `it was not ready within ${this.#options.startMs / 1000} s`));
      }, this.#options.startMs);
      this.#settleFirst = {
        resolve: (url) => (clearTimeout(late), resolve(url)),
        reject: (failure) => (clearTimeout(late), reject(failure)),
      };
      if (this.#failure !== null) this.#settle(this.#failure);
      else if (this.#process === null) this.#spawn();
      else this.#sendBoot();
    });
  }

  /** What the next process of this child is started with; the running one keeps what it has. */
  replaceBoot(boot: Boot): void {
    this.#boot = boot;
  }

  /** Asks the process to stop and waits; after `graceMs` it is killed. Never restarts it again. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    const child = this.#process;
    if (child === null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    if (child.connected) child.send({ type: 'stop' }, () => {});
    else child.kill('SIGTERM');
    const late = setTimeout(() => {
      this.#hooks.log('warn', `did not stop within ${graceMs} ms and is ended`);
      child.kill('SIGKILL');
    }, graceMs);
    await ended;
    clearTimeout(late);
  }

  /** Ends the process at once; resolves when it has ended. Never restarts it again. */
  async kill(): Promise<void> {
    this.#stopping = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    const child = this.#process;
    if (child === null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGKILL');
    await ended;
  }

  #spawn(): void {
    const child = fork(this.#options.script, [this.name], {
      detached: true,
      execArgv: [...process.execArgv, ...HEAP_FLAGS],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#process = child;
    this.#readySinceMs = null;
    child.on('message', (message: FromChild) => this.#onMessage(message));
    child.on('error', (error) => this.#hooks.log('error', error.message));
    child.once('exit', (code, signal) => this.#onExit(signal ?? `exit ${code}`));
    if (child.pid !== undefined) this.#hooks.onSpawn(child.pid);
    if (this.#boot !== null) this.#sendBoot();
  }

  #sendBoot(): void {
    // A child that dies while this is sent is handled by its exit.
    if (this.#process?.connected === true) this.#process.send({ type: 'boot', boot: pack(this.#boot) }, () => {});
  }

  #onMessage(message: FromChild): void {
    if (message.type === 'failed') {
      this.#failure = new ChildFailed(this.name, message.code, message.message);
      return;
    }
    this.#readySinceMs = Date.now();
    this.#failure = null;
    if (this.#wasReady) this.#hooks.log('info', `serves again (process ${this.#process?.pid})`);
    this.#wasReady = true;
    this.#settleFirst?.resolve(message.url);
    this.#settleFirst = null;
  }

  #onExit(how: string): void {
    const pid = this.#process?.pid;
    this.#process = null;
    const failure = this.#failure ?? new ChildFailed(this.name, null, `the ${this.name} ended unexpectedly (${how})`);
    if (this.#stopping) return this.#settle(failure);
    if (!this.#wasReady) {
      this.#failure = failure;
      return this.#settle(failure);
    }
    const lived = this.#readySinceMs === null ? 0 : Date.now() - this.#readySinceMs;
    const { stableMs, firstPauseMs, longestPauseMs, maxInstantDeaths } = this.#options;
    this.#instantDeaths = lived < stableMs ? this.#instantDeaths + 1 : 1;
    if (this.#instantDeaths > maxInstantDeaths) {
      this.#stopping = true;
      return this.#hooks.onGiveUp(failure);
    }
    const pauseMs = Math.min(firstPauseMs * 2 ** (this.#instantDeaths - 1), longestPauseMs);
    this.#hooks.log('error', `process ${pid} ended (${how}) and is started again in ${pauseMs} ms`);
    this.#failure = null;
    this.#restart = setTimeout(() => this.#spawn(), pauseMs);
  }

  #settle(failure: ChildFailed): void {
    this.#settleFirst?.reject(failure);
    this.#settleFirst = null;
  }
}
