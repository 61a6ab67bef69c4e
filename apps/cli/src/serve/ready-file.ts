import { accessSync, constants, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** What scripts and tests need to drive the product (CFG-2). */
export interface Ready {
  readonly url: string;
  readonly consoleUrl: string;
  readonly adminToken: string;
  readonly key: string;
}

/** The file that says "it serves": one JSON object, mode 0600, there only while the product serves. */
export class ReadyFile {
  readonly #file: string;

  /** Removes a file an earlier run left. Throws with a sentence when the file could not be written later. */
  constructor(file: string) {
    this.#file = path.resolve(file);
    try {
      accessSync(path.dirname(this.#file), constants.W_OK);
      if (statSync(this.#file, { throwIfNoEntry: false })?.isDirectory() === true) throw new Error('it is a folder');
      rmSync(this.#file, { force: true });
    } catch (error) {
      throw new Error(
        `the ready file ${this.#file} (--ready-file, SMARTFLOW_READY_FILE) cannot be written: ${(error as Error).message}`,
      );
    }
  }

  /** Writes it in one step: a reader sees nothing or all of it. */
  write(ready: Ready): void {
    const text = JSON.stringify({
      url: ready.url,
      consoleUrl: ready.consoleUrl,
      adminToken: ready.adminToken,
      key: ready.key,
    });
    const next = `${this.#file}.${process.pid}`;
    writeFileSync(next, `${text}\n`, { mode: 0o600 });
    renameSync(next, this.#file);
  }

  remove(): void {
    rmSync(this.#file, { force: true });
  }
}
