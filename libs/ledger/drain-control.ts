import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '#libs/platform/logger.js';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2000;

/** How a drain is stopped: first it may finish what the stream still holds, then it ends wherever it waits. */
export class DrainControl {
  #stopping = false;
  readonly #end = new AbortController();

  /** Ends as soon as the stream is empty, and after `withinMs` in any case. */
  stop(withinMs: number): void {
    this.#stopping = true;
    const timer = setTimeout(() => this.#end.abort(), withinMs);
    this.#end.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  }

  /** The stream had nothing more: when stopping, that was all. */
  idle(): void {
    if (this.#stopping) this.#end.abort();
  }

  goesOn(): boolean {
    return !this.#end.signal.aborted;
  }

  get signal(): AbortSignal {
    return this.#end.signal;
  }
}

/**
 * Runs `action` until it succeeds, with growing pauses (50 ms to 2 s); `null` when the drain has to end first. Logs when
 * it begins to fail and when it works again, not each attempt.
 */
export async function backOff<T>(
  what: string,
  logger: Logger,
  control: DrainControl,
  action: () => Promise<T>,
): Promise<T | null> {
  for (let failures = 0; ; failures++) {
    try {
      const result = await action();
      if (failures > 0) logger.info({ failures }, `${what}: works again`);
      return result;
    } catch (error) {
      if (failures === 0 && control.goesOn())
        logger.warn({ err: error }, `${what}: failed, trying again until it works`);
    }
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);
    await sleep(pauseMs / 2 + Math.random() * (pauseMs / 2), undefined, { signal: control.signal }).catch(() => {});
    if (!control.goesOn()) return null;
  }
}
