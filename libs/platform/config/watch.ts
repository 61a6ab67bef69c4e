import { statSync, watch, type FSWatcher } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Secret } from '../secret.js';
import type { ConfigFault, SmartflowConfig } from './config.js';
import { type Environment, readEnvironment } from './environment.js';
import { readConfig } from './load.js';

export interface WatchHandlers {
  /**
   * A changed file that is right. `live` is what it says now, `boot` what the process runs with; for boot settings that
   * differ there is a warning ("needs a restart"). When this throws or rejects, `onRefused` says so, and the change
   * counts as not applied.
   */
  readonly onChange: (config: SmartflowConfig) => void | Promise<void>;
  /** A changed file that is wrong or gone: nothing of it is applied. Once for each faulty state, not once a second. */
  readonly onRefused: (faults: readonly ConfigFault[]) => void;
}

export interface WatchOptions {
  /** What the process runs with; default: what the file says when watching begins. */
  readonly current?: SmartflowConfig;
  readonly env?: Environment;
  readonly cwd?: string;
  /** Between two looks at the file; default 400. */
  readonly pollMs?: number;
  /** How long a changed file must lie still before it is read; default 200. */
  readonly settleMs?: number;
}

export interface ConfigWatch {
  stop(): void;
}

/**
 * Follows the configuration file and the files its `…_FILE` variables name (CFG, hot reload): edits, files moved into
 * place and swapped symbolic links (as Kubernetes does with mounted maps) are noticed within a second. The guarantee is
 * the look at the file's identity, size and times every `pollMs`; notices of the file system only make it sooner.
 * A file is read when it has not changed for `settleMs`, so that half a file is not taken for a whole one; an empty
 * file is refused for the same reason. The timer keeps no process alive.
 */
export function watchConfig(file: string, handlers: WatchHandlers, options: WatchOptions = {}): ConfigWatch {
  return new Watcher(file, handlers, options);
}

class Watcher implements ConfigWatch {
  readonly #file: string;
  readonly #handlers: WatchHandlers;
  readonly #env: Environment;
  readonly #cwd: string;
  readonly #pollMs: number;
  readonly #settleMs: number;
  #current: SmartflowConfig | null;
  #inputs: readonly string[];
  /** State of the inputs that was last dealt with, whatever came of it. */
  #handled: string;
  #timer: NodeJS.Timeout | null = null;
  #hint: FSWatcher | null = null;
  #busy = false;
  #stopped = false;

  constructor(file: string, handlers: WatchHandlers, options: WatchOptions) {
    this.#handlers = handlers;
    this.#env = options.env ?? readEnvironment();
    this.#cwd = options.cwd ?? process.cwd();
    this.#file = resolve(this.#cwd, file);
    this.#pollMs = options.pollMs ?? 400;
    this.#settleMs = options.settleMs ?? 200;
    this.#inputs = this.#read().inputs;
    // The state is taken before the content: what changes in between is noticed as a change.
    const state = stateOf(this.#inputs);
    const { result, inputs } = this.#read();
    this.#current = options.current ?? (result.ok ? result.config : null);
    // A file that is already another than the one the process runs with counts as changed.
    const upToDate = result.ok && this.#current !== null && same(settingsOf(this.#current), settingsOf(result.config));
    this.#handled = upToDate && isDeepStrictEqual(inputs, this.#inputs) ? state : '';
    this.#openHint();
    this.#schedule(this.#pollMs);
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#hint?.close();
    this.#hint = null;
  }

  /** A watch on the folder, since a file moved into place is a new file. It may fail or fall silent: the poll remains. */
  #openHint(): void {
    try {
      this.#hint = watch(dirname(this.#file), { persistent: false }, () => {
        if (!this.#busy) this.#schedule(HINT_MS);
      });
      this.#hint.on('error', () => this.#hint?.close());
    } catch {
      this.#hint = null;
    }
  }

  #schedule(afterMs: number): void {
    if (this.#stopped) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), afterMs).unref();
  }

  async #look(): Promise<void> {
    this.#busy = true;
    try {
      const state = stateOf(this.#inputs);
      if (state !== this.#handled) await this.#settle(state);
    } finally {
      this.#busy = false;
      this.#schedule(this.#pollMs);
    }
  }

  /** Deals with a changed state once it has stood still; a state that moves on is met again by the next look. */
  async #settle(state: string): Promise<void> {
    await wait(this.#settleMs, undefined, { ref: false });
    if (this.#stopped || stateOf(this.#inputs) !== state) return;
    const { result, inputs } = this.#read();
    if (!isDeepStrictEqual(inputs, this.#inputs)) {
      // Other files take part now: the state that was seen says nothing of them.
      this.#inputs = inputs;
      return this.#settle(stateOf(inputs));
    }
    if (stateOf(inputs) !== state) return;
    this.#handled = state;
    if (!result.ok) this.#refuse(result.faults);
    else if (result.config.warnings.some(isEmptyFile)) this.#refuse([EMPTY]);
    else await this.#apply(result.config);
  }

  async #apply(config: SmartflowConfig): Promise<void> {
    const running = this.#current;
    const next = running === null ? config : withBootOf(running, config);
    if (running !== null && same(running, next)) return; // touched, or only its comments changed
    try {
      await this.#handlers.onChange(next);
      this.#current = next;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#refuse([{ path: '', line: null, message: `the changed file could not be applied: ${reason}` }]);
    }
  }

  #refuse(faults: readonly ConfigFault[]): void {
    try {
      this.#handlers.onRefused(faults);
    } catch {
      // Whoever cannot take the message must not end the watch with it.
    }
  }

  #read(): ReturnType<typeof readConfig> {
    return readConfig({ file: this.#file, env: this.#env, cwd: this.#cwd });
  }
}

/** From a notice of the file system to a look: one for a whole burst of notices. */
const HINT_MS = 20;

const EMPTY: ConfigFault = { path: '', line: 1, message: 'the file is empty; the settings in force are kept' };

function isEmptyFile(warning: ConfigFault): boolean {
  return warning.path === '' && warning.message.startsWith('the file is empty');
}

/** The new live settings with the boot settings in force, and a warning for each of those that would differ. */
function withBootOf(running: SmartflowConfig, next: SmartflowConfig): SmartflowConfig {
  const restart = Object.entries(NAMES)
    .filter(([key]) => !same(running.boot[key as keyof typeof NAMES], next.boot[key as keyof typeof NAMES]))
    .map(([, path]) => ({ path, line: null, message: 'was changed and needs a restart to take effect' }));
  return Object.freeze({ ...next, boot: running.boot, warnings: Object.freeze([...restart, ...next.warnings]) });
}

/** Boot settings by the name they have in the file. The ready file is in none: the command line or the environment names it. */
const NAMES = {
  listen: 'listen',
  dataDir: 'data_dir',
  stores: 'stores',
  drainMs: 'limits.drain_ms',
  bodyLimitBytes: 'limits.body_bytes',
  clientGoneCalls: 'limits.client_gone_calls',
  logLevel: 'log.level',
} as const satisfies Record<Exclude<keyof SmartflowConfig['boot'], 'readyFile'>, string>;

/** What a process runs by, without the texts about it. */
function settingsOf(config: SmartflowConfig): unknown {
  return [{ ...config.boot, readyFile: null }, config.live];
}

/** Deep equality that looks into secrets, without keeping what it sees. */
function same(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(revealed(a), revealed(b));
}

function revealed(value: unknown): unknown {
  if (value instanceof Secret) return { secret: value.reveal() };
  if (Array.isArray(value)) return value.map(revealed);
  if (value instanceof Map) return [...value].map(revealed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, revealed(inner)]));
}

/** Identity, size and times of each file behind its links; `-` for one that is not there. */
function stateOf(files: readonly string[]): string {
  return files
    .map((file) => {
      try {
        const stat = statSync(file, { bigint: true });
        return `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`;
      } catch {
        return '-';
      }
    })
    .join('|');
}
