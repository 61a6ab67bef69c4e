import { closeSync, existsSync, fstatSync, openSync, readSync, renameSync, statSync, truncateSync } from 'node:fs';

const ROTATE_BYTES = 8 * 1024 * 1024;
const LARGEST_BYTES = 32 * 1024 * 1024;
const WATCH_MS = 60_000;

/**
 * A server's log file. The server writes to it by itself (so it outlives us); we keep it small: at `open` a file above
 * 8 MiB becomes `<file>.1`, and while we run one above 32 MiB is emptied (looked at once a minute).
 */
export class ServerLog {
  readonly file: string;
  readonly #descriptor: number;
  readonly #watch: NodeJS.Timeout;
  #mark: number;

  private constructor(file: string, descriptor: number) {
    this.file = file;
    this.#descriptor = descriptor;
    this.#mark = fstatSync(descriptor).size;
    this.#watch = setInterval(() => this.#cap(), WATCH_MS);
    this.#watch.unref();
  }

  static open(file: string): ServerLog {
    if (existsSync(file) && statSync(file).size > ROTATE_BYTES) renameSync(file, `${file}.1`);
    return new ServerLog(file, openSync(file, 'a+', 0o600));
  }

  /** For a child's `stdio`: opened for appending, so several writers do not overwrite one another. */
  get descriptor(): number {
    return this.#descriptor;
  }

  /** From here on {@link tail} counts. */
  mark(): void {
    this.#mark = fstatSync(this.#descriptor).size;
  }

  /** What was written since the last mark, at most its last 16 KiB. */
  tail(): string {
    const { size } = fstatSync(this.#descriptor);
    const from = Math.max(Math.min(this.#mark, size), size - 16_384);
    const buffer = Buffer.alloc(size - from);
    readSync(this.#descriptor, buffer, 0, buffer.length, from);
    return buffer.toString();
  }

  close(): void {
    clearInterval(this.#watch);
    closeSync(this.#descriptor);
  }

  #cap(): void {
    if (fstatSync(this.#descriptor).size > LARGEST_BYTES) truncateSync(this.file);
  }
}
