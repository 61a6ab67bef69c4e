import { resolve } from 'node:path';
import { readTextFile } from './read-text.js';

/** Environment variables as the configuration sees them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A copy of the process's environment. The only place in the product that reads it. */
export function readEnvironment(): Environment {
  return Object.freeze({ ...process.env });
}

export type VariableRead =
  { readonly found: true; readonly value: string } | { readonly found: false; readonly problem: string | null };

const MAX_FILE_BYTES = 64 * 1024;

/**
 * Looks variables up, each also as `NAME_FILE` naming a file whose trimmed content is the value (Docker and Kubernetes
 * secrets). `NAME` wins when both are set. Remembers which files were read, so that the watcher can follow them.
 */
export class Variables {
  readonly files = new Set<string>();
  readonly #env: Environment;
  readonly #cwd: string;

  constructor(env: Environment, cwd: string) {
    this.#env = env;
    this.#cwd = cwd;
  }

  /** `problem` is a sentence when `NAME_FILE` is set but of no use, `null` when neither variable is set. */
  read(name: string): VariableRead {
    const value = this.#env[name];
    const file = this.#env[`${name}_FILE`];
    if (file === undefined || file === '' || (value !== undefined && value !== '')) {
      return value === undefined ? { found: false, problem: null } : { found: true, value };
    }
    const path = resolve(this.#cwd, file);
    this.files.add(path);
    const text = readTextFile(path, MAX_FILE_BYTES);
    if (!text.ok) return { found: false, problem: `the file named by ${name}_FILE ${text.problem}` };
    return { found: true, value: text.text.trim() };
  }

  get names(): readonly string[] {
    return Object.keys(this.#env);
  }
}
