import type { Row } from './rows.js';

interface Answer {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/**
 * Node's inspector in the process of a row, switched on from outside (SIGUSR1) only when it is needed: for CPU profiles, and
 * for the heap's size after a full collection. The processes run with `--inspect-port=0`.
 */
export class Inspector {
  readonly #socket: WebSocket;
  readonly #open = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  #next = 1;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = (event) => this.#take(JSON.parse(String(event.data)) as Answer);
    socket.onclose = () => {
      for (const call of this.#open.values()) call.reject(new Error('the inspector was closed'));
    };
  }

  static async attach(row: Row): Promise<Inspector> {
    process.kill(row.pid, 'SIGUSR1');
    const deadline = Date.now() + 10_000;
    for (;;) {
      const url = /Debugger listening on (ws:\S+)/.exec(row.output())?.[1];
      if (url !== undefined) {
        const socket = new WebSocket(url);
        await new Promise((resolve, reject) => {
          socket.onopen = resolve;
          socket.onerror = () => reject(new Error(`the inspector of ${row.name} cannot be reached`));
        });
        return new Inspector(socket);
      }
      if (Date.now() > deadline) throw new Error(`the inspector of ${row.name} did not open`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Calls a method of the DevTools protocol. */
  send<Result>(method: string, params: object = {}): Promise<Result> {
    const id = this.#next++;
    this.#socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve, reject) =>
      this.#open.set(id, { resolve: resolve as (result: unknown) => void, reject }),
    );
  }

  /** Bytes of live objects and of buffers outside the heap, after full collections. */
  async liveBytes(): Promise<number> {
    await this.send('HeapProfiler.enable');
    for (let i = 0; i < 3; i++) await this.send('HeapProfiler.collectGarbage');
    const usage = await this.send<{ readonly usedSize: number; readonly backingStorageSize: number }>(
      'Runtime.getHeapUsage',
    );
    return usage.usedSize + usage.backingStorageSize;
  }

  /** A CPU profile of what the process does while `work` runs, as the text of a `.cpuprofile`. */
  async profile(work: () => Promise<unknown>): Promise<string> {
    await this.send('Profiler.enable');
    await this.send('Profiler.setSamplingInterval', { interval: 200 });
    await this.send('Profiler.start');
    await work();
    const { profile } = await this.send<{ readonly profile: unknown }>('Profiler.stop');
    return JSON.stringify(profile);
  }

  close(): void {
    this.#socket.close();
  }

  #take(answer: Answer): void {
    if (answer.id === undefined) return;
    const call = this.#open.get(answer.id);
    this.#open.delete(answer.id);
    if (answer.error === undefined) call?.resolve(answer.result);
    else call?.reject(new Error(answer.error.message));
  }
}
