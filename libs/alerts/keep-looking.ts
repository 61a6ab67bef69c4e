import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '#libs/platform/logger.js';

/** Something that is looked at again and again. */
export interface Look {
  /** For the log, such as `budgets`. */
  readonly what: string;
  readonly everyMs: number;
  look(): Promise<void>;
}

/** Looks until `signal` ends it. A failure is logged when it begins and when it is over; the next look is the next try. */
export async function keepLooking({ what, everyMs, look }: Look, logger: Logger, signal: AbortSignal): Promise<void> {
  let failing = false;
  while (!signal.aborted) {
    try {
      await look();
      if (failing) logger.info({}, `${what} can be watched again`);
      failing = false;
    } catch (error) {
      if (!failing) logger.warn({ err: error }, `${what} cannot be watched, trying again until it works`);
      failing = true;
    }
    await sleep(everyMs, undefined, { signal }).catch(() => {});
  }
}
