import { Pool, type Dispatcher } from 'undici';
import { EgressPolicy, guardedConnector } from '#libs/platform/egress.js';
import type { Provider } from '#libs/providers/index.js';

/**
 * undici's Pool looks for a free connection by a linear scan: with 4,000 open streams a short call would cost 2.3 times as
 * much. Several pools per origin, taken in turn, remove that; while there are few calls one is enough: its scan is short, and
 * few connections in constant use cost less than many that take turns.
 */
const POOLS_PER_ORIGIN = 32;
const CROWDED_CALLS = 128;
/** Shorter than balancers in front of providers keep an idle connection, so that a call seldom meets one that is closing. */
const KEEP_ALIVE_MS = 30_000;

/** The demo provider lives in this very process: no list of the operator's decides about it. */
const DEMO_POLICY = new EgressPolicy(['127.0.0.1/32']);

class Origin {
  readonly #pools: Pool[];
  #turn = 0;

  constructor(origin: string, connect: ReturnType<typeof guardedConnector>) {
    // No bound on connections: how much may run at once is for limits and budgets to say, not for the socket pool.
    const options = {
      connections: null,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: 64 * 1024,
      connect,
    };
    this.#pools = Array.from({ length: POOLS_PER_ORIGIN }, () => new Pool(origin, options));
  }

  next(callsUnderWay: number): Dispatcher {
    this.#turn = callsUnderWay < CROWDED_CALLS ? 0 : (this.#turn + 1) % POOLS_PER_ORIGIN;
    return this.#pools[this.#turn] as Pool;
  }

  async close(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.close()));
  }

  async destroy(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.destroy()));
  }
}

/** The connections to all upstreams, shared by every provider of the same type, origin and connect timeout. */
export class UpstreamPools {
  readonly #origins = new Map<string, Origin>();
  readonly #policy: () => EgressPolicy;

  constructor(policy: () => EgressPolicy) {
    this.#policy = policy;
  }

  /** The dispatcher for one call to a provider. @param callsUnderWay of the whole process */
  of(provider: Provider, callsUnderWay: number): Dispatcher {
    const key = keyOf(provider);
    let origin = this.#origins.get(key);
    if (origin === undefined) {
      const policy = provider.type === 'demo' ? () => DEMO_POLICY : this.#policy;
      origin = new Origin(provider.origin, guardedConnector(policy, { connectTimeoutMs: provider.timeouts.connectMs }));
      this.#origins.set(key, origin);
    }
    return origin.next(callsUnderWay);
  }

  /** Lets go of origins that no provider uses any more; calls under way end in peace. */
  keepOnly(providers: readonly Provider[]): void {
    const wanted = new Set(providers.map(keyOf));
    for (const [key, origin] of this.#origins) {
      if (wanted.has(key)) continue;
      this.#origins.delete(key);
      void origin.close();
    }
  }

  /** Cuts every connection; for the end of the process. */
  async destroy(): Promise<void> {
    await Promise.all([...this.#origins.values()].map((origin) => origin.destroy()));
    this.#origins.clear();
  }
}

function keyOf(provider: Provider): string {
  return `${provider.type} ${provider.origin} ${provider.timeouts.connectMs}`;
}
