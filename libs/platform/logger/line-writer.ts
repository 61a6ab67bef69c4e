import { write, writeSync } from 'node:fs';

const RETRY_MS = 20;
const FLUSH_LIMIT_MS = 1000;

/**
 * Writes lines to a file descriptor without ever holding up the caller: all lines of a turn of the event loop go out in
 * one write, and while one is under way the next lines wait. Beyond `maxWaiting` characters lines are dropped, and a line
 * says how many as soon as there is room. When the reader is gone (EPIPE) or the descriptor is of no use, writing ends.
 *
 * In place of pino's own destination, which at the end of a process retries a broken pipe for ever.
 */
export class LineWriter {
  readonly #fd: number;
  readonly #maxWaiting: number;
  #lines: string[] = [];
  #waiting = 0;
  #busy = false;
  #dropped = 0;
  #broken = false;

  constructor(fd: number, maxWaiting: number) {
    this.#fd = fd;
    this.#maxWaiting = maxWaiting;
  }

  write(line: string): void {
    if (this.#broken) return;
    if (this.#waiting + line.length > this.#maxWaiting) {
      this.#dropped++;
      return;
    }
    this.#lines.push(line);
    this.#waiting += line.length;
    if (this.#busy) return;
    this.#busy = true;
    setImmediate(() => this.#sendNext());
  }

  /** Writes what still waits before the process ends; gives up after a second. */
  flushSync(): void {
    let rest = this.#take();
    const end = performance.now() + FLUSH_LIMIT_MS;
    while (rest.length > 0 && !this.#broken && performance.now() < end) {
      try {
        rest = rest.subarray(writeSync(this.#fd, rest));
      } catch (error) {
        if (!isBusy(error)) this.#broken = true;
        else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
      }
    }
  }

  #sendNext(): void {
    const batch = this.#take();
    if (batch.length === 0) this.#busy = false;
    else this.#send(batch);
  }

  #send(bytes: Buffer): void {
    write(this.#fd, bytes, 0, bytes.length, null, (error, written) => {
      if (error !== null && !isBusy(error)) {
        this.#broken = true;
        this.#take();
      } else if (error !== null) {
        setTimeout(() => this.#send(bytes), RETRY_MS);
      } else if (written < bytes.length) {
        this.#send(bytes.subarray(written));
      } else {
        this.#sendNext();
      }
    });
  }

  #take(): Buffer {
    if (this.#dropped > 0) {
      const fields = { level: 'warn', time: new Date().toISOString(), lines: this.#dropped };
      this.#lines.push(`${JSON.stringify({ ...fields, msg: 'log lines dropped: they were not read fast enough' })}\n`);
      this.#dropped = 0;
    }
    const batch = Buffer.from(this.#lines.join(''));
    this.#lines = [];
    this.#waiting = 0;
    return batch;
  }
}

function isBusy(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EAGAIN' || code === 'EBUSY';
}
