import { setTimeout as sleep } from 'node:timers/promises';

/** What {@link keepRunning} needs of a server. */
export interface RunningServer {
  readonly port: number;
  /** Resolves with the reason when the server has ended. */
  readonly ended: Promise<string>;
  /** Also frees what an ended server still holds (folder lock, log). */
  stop(): Promise<void>;
}

export interface KeptServer {
  stop(): Promise<void>;
}

export interface KeepListeners {
  onRestart(why: string): void;
  /** Given up: it ended too often, or does not start any more. */
  onLost(why: string): void;
}

export interface KeepPace {
  /** A server that lived less than this counts as a failed attempt. */
  readonly stableMs: number;
  /** Pause before the first attempt; doubled each time, up to 3 s. */
  readonly firstPauseMs: number;
}

const PACE: KeepPace = { stableMs: 10_000, firstPauseMs: 100 };
const ATTEMPTS = 6;
const LONGEST_PAUSE_MS = 3000;

/**
 * Starts a server again on its port when it ends by itself, with growing pauses, and gives up after six ends or failed
 * starts in a row. `stop()` ends the watching and then the server.
 */
export function keepRunning<S extends RunningServer>(
  first: S,
  restart: (port: number) => Promise<S>,
  listeners: KeepListeners,
  pace: KeepPace = PACE,
): KeptServer {
  const { port } = first;
  const stopping = new AbortController();
  let current: S | null = first;

  const attempt = async (): Promise<S | Error> => {
    try {
      return await restart(port);
    } catch (error) {
      return error as Error;
    }
  };
  const watch = async (): Promise<void> => {
    let failures = 0;
    while (current !== null && !stopping.signal.aborted) {
      const startedAt = performance.now();
      let why = await current.ended;
      if (stopping.signal.aborted) return;
      if (performance.now() - startedAt >= pace.stableMs) failures = 0;
      const ended = why;
      await current.stop();
      current = null;
      while (current === null && failures++ < ATTEMPTS) {
        await sleep(Math.min(LONGEST_PAUSE_MS, pace.firstPauseMs * 2 ** (failures - 1)), null, {
          signal: stopping.signal,
        });
        const result: S | Error = await attempt();
        if (result instanceof Error) why = result.message;
        else current = result;
      }
      if (current === null) return listeners.onLost(`ended (${ended}) and cannot be started again: ${why}`);
      if (!stopping.signal.aborted) listeners.onRestart(ended);
    }
  };
  const watching = watch().catch((error: unknown) => {
    if (!stopping.signal.aborted) listeners.onLost(String(error));
  });
  return {
    stop: async () => {
      stopping.abort();
      // A restart that is under way is finished first, so that there is something to stop.
      if (current === null) await watching;
      await current?.stop();
    },
  };
}
