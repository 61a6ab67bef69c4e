import { idTimeMs } from '#libs/platform/ids.js';
import type { UsageEvent } from './usage-event.js';

/** What of an event says that a key was used. */
export type KeyUsed = Pick<UsageEvent, 'id' | 'orgId' | 'keyId'>;

export interface KeyStamp {
  readonly orgId: string;
  readonly keyId: string;
  readonly atMs: number;
}

/** Where the stamps are kept. */
export interface KeyStampStore {
  /** Raises the stamps that are older by `atLeastMs` or absent. */
  raise(stamps: readonly KeyStamp[], atLeastMs: number): Promise<void>;
}

/** A key is stamped at most once in so long, however many calls it makes. */
export const STAMP_EVERY_MS = 60_000;
/** Stamps remembered, to spare the store the question. Full-policy: the memory starts again empty. */
const MOST_REMEMBERED = 100_000;

/** Notes when keys were used, for the worker: behind the calls, at most one write a minute per key. */
export class KeyUseNotes {
  readonly #store: KeyStampStore;
  readonly #stamped = new Map<string, number>();

  constructor(store: KeyStampStore) {
    this.#store = store;
  }

  /** Rejects when the store does not answer: then the next call of the key is noted. */
  async note(events: Iterable<KeyUsed>): Promise<void> {
    const due = new Map<string, KeyStamp>();
    for (const { id, orgId, keyId } of events) {
      const atMs = idTimeMs(id);
      if (atMs === null) continue;
      const name = `${orgId}/${keyId}`;
      if (atMs < (this.#stamped.get(name) ?? -Infinity) + STAMP_EVERY_MS) continue;
      if (atMs > (due.get(name)?.atMs ?? -Infinity)) due.set(name, { orgId, keyId, atMs });
    }
    if (due.size === 0) return;
    await this.#store.raise([...due.values()], STAMP_EVERY_MS);
    if (this.#stamped.size + due.size > MOST_REMEMBERED) this.#stamped.clear();
    for (const [name, { atMs }] of due) this.#stamped.set(name, atMs);
  }
}
