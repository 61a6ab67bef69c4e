import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ChildName } from './messages.js';

interface Recorded {
  readonly name: ChildName;
  readonly pid: number;
}

/** Who runs on a data folder: `run.json`, for the next start after a crash and for people who look. */
export class RunRecord {
  readonly #file: string;
  readonly #children = new Map<ChildName, number>();

  constructor(dataDir: string) {
    this.#file = path.join(dataDir, 'run.json');
  }

  /** The children an earlier supervisor recorded and did not see end; empty after an orderly stop. */
  left(): Recorded[] {
    try {
      const { children } = JSON.parse(readFileSync(this.#file, 'utf8')) as { children?: unknown };
      return Array.isArray(children) ? children.filter(isRecorded) : [];
    } catch {
      return []; // none, or cut off by a power loss
    }
  }

  /** Notes the current process of a child. */
  note(name: ChildName, pid: number): void {
    this.#children.set(name, pid);
    const children = [...this.#children].map(([child, id]) => ({ name: child, pid: id }));
    const text = JSON.stringify({ supervisor: { pid: process.pid }, children }, null, 2);
    writeFileSync(`${this.#file}.new`, `${text}\n`, { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
  }

  /** After everything has ended. */
  remove(): void {
    rmSync(this.#file, { force: true });
  }
}

function isRecorded(value: unknown): value is Recorded {
  const { name, pid } = (value ?? {}) as { name?: unknown; pid?: unknown };
  return (name === 'gateway' || name === 'worker') && Number.isSafeInteger(pid) && (pid as number) > 1;
}
