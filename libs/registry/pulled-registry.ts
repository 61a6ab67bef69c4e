import { RegistryState } from './registry-state.js';
import type { RegistryStore } from './store/registry-store.js';

/**
 * The registry for a process that asks for it now and then, straight from the durable store: nothing runs between questions,
 * and each reads only what has changed since the one before.
 */
export class PulledRegistry {
  #state = RegistryState.empty;
  #reading: Promise<RegistryState> | null = null;

  constructor(private readonly store: Pick<RegistryStore, 'head' | 'changesSince'>) {}

  /** As it stands now. Rejects with `AppError` `store_unavailable`. */
  current(): Promise<RegistryState> {
    this.#reading ??= this.#read().finally(() => (this.#reading = null));
    return this.#reading;
  }

  async #read(): Promise<RegistryState> {
    const head = await this.store.head();
    const { lineage, version } = this.#state.head;
    if (head.lineage === lineage && head.version === version) return this.#state;
    // Another registry, or a restored one: everything anew.
    const continues = head.lineage === lineage && head.version > version;
    const delta = await this.store.changesSince(continues ? Math.max(0, version) : 0);
    this.#state = (continues ? this.#state : RegistryState.empty).apply(delta);
    return this.#state;
  }
}
