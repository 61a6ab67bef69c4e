/** Rejects when work takes longer than `timeoutMs`. The work itself goes on; its late outcome is dropped. */
export async function bounded<T>(work: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}

/**
 * Asks a store again and again without piling up: while an earlier question hangs (a frozen server), new ones fail at once
 * instead of taking another connection.
 */
export class Probe {
  private pending = false;
  constructor(
    private readonly timeoutMs: number,
    private readonly what: string,
  ) {}

  async ask<T>(work: () => Promise<T>): Promise<T> {
    if (this.pending) throw new Error(`${this.what} has not answered the question before`);
    this.pending = true;
    const running = work().finally(() => (this.pending = false));
    return bounded(running, this.timeoutMs, this.what);
  }
}
