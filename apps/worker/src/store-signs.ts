import type { Secret } from '#libs/platform/secret.js';
import { connectMongo, storeHealth, type HealthSources, type StoresHealth } from '#libs/stores/index.js';

type Connection = Awaited<ReturnType<typeof connectMongo>>;

/** Whether the stores answer, MongoDB on a connection of its own that is made as soon as it can be. */
export class StoreSigns {
  #mongodb: Connection | null = null;
  #closed = false;

  constructor(
    private readonly sources: Omit<HealthSources, 'mongodb'>,
    /** `null`: not in use. */
    private readonly mongodbUrl: Secret | null,
  ) {}

  /** Never rejects. @param timeoutMs for each; a first connection to MongoDB takes up to 3 s more */
  async check(timeoutMs: number): Promise<StoresHealth> {
    const mongodb = await this.#connection();
    const states = await storeHealth({ ...this.sources, mongodb }, timeoutMs);
    if (this.mongodbUrl === null || mongodb !== null) return states;
    return { ...states, mongodb: { state: 'down', latencyMs: 0, reason: 'cannot be reached' } };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#mongodb?.close();
  }

  async #connection(): Promise<Connection | null> {
    if (this.mongodbUrl === null || this.#mongodb !== null) return this.#mongodb;
    const made = await connectMongo(this.mongodbUrl).catch(() => null);
    if (this.#closed) await made?.close();
    else this.#mongodb = made;
    return this.#mongodb;
  }
}
