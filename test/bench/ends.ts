import { Worker } from 'node:worker_threads';
import type { Call } from './payloads.js';

/** One window of load on one row. */
export interface RunSpec {
  readonly port: number;
  readonly key: string;
  readonly bodyBytes: number;
  readonly stream: boolean;
  readonly call: Call;
  readonly callers: number;
  readonly windowMs: number;
  /** Ends the window early after so many answers; 0: never. */
  readonly maxAnswers: number;
}

export interface RunResult {
  answers: number;
  /** Pieces of streamed answers, the last one with usage included. */
  pieces: number;
  /** The first thing that went wrong. */
  failure: string | null;
}

/** What the worker thread is asked for. */
export type WorkerCall =
  | { readonly do: 'listen' }
  | { readonly do: 'prepare'; readonly spec: RunSpec }
  | { readonly do: 'run' }
  | { readonly do: 'hold'; readonly spec: RunSpec; readonly count: number }
  | { readonly do: 'release' };

/** The load generator and the fake upstream, in a thread of their own. */
export class Ends {
  readonly #worker = new Worker(new URL('./ends-worker.js', import.meta.url));
  readonly #open = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #next = 0;
  #broken: Error | null = null;
  upstreamPort = 0;

  constructor() {
    this.#worker.on('message', (message: { id: number; value?: unknown; error?: string }) => {
      const call = this.#open.get(message.id);
      this.#open.delete(message.id);
      if (message.error === undefined) call?.resolve(message.value);
      else call?.reject(new Error(message.error));
    });
    this.#worker.on('error', (error) => {
      this.#broken = error as Error;
      for (const call of this.#open.values()) call.reject(this.#broken);
    });
  }

  async listen(): Promise<void> {
    this.upstreamPort = (await this.#call({ do: 'listen' })) as number;
  }

  /** Opens the connections of a window; nothing is sent yet. */
  async prepare(spec: RunSpec): Promise<void> {
    await this.#call({ do: 'prepare', spec });
  }

  /** Runs the prepared window, which must end within `withinMs`. Throws when a call failed: a bench of errors would measure nothing. */
  async run(withinMs: number): Promise<RunResult> {
    const result = (await this.#call({ do: 'run' }, withinMs)) as RunResult;
    if (result.failure !== null) throw new Error(`a call of the bench failed: ${result.failure}`);
    return result;
  }

  /** Opens `count` more streams that stay open and silent, until `release()`. */
  async hold(spec: RunSpec, count: number): Promise<void> {
    await this.#call({ do: 'hold', spec, count });
  }

  /** Closes all held streams. */
  async release(): Promise<void> {
    await this.#call({ do: 'release' });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #call(call: WorkerCall, withinMs = 60_000): Promise<unknown> {
    if (this.#broken !== null) return Promise.reject(this.#broken);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`the load generator did not finish "${call.do}" in ${withinMs} ms`)),
        withinMs,
      );
      const done = (): void => clearTimeout(late);
      this.#open.set(id, {
        resolve: (value) => (done(), resolve(value)),
        reject: (error) => (done(), reject(error)),
      });
      this.#worker.postMessage({ id, call });
    });
  }
}
