import { createHash } from 'node:crypto';

/** Keeps which target made a stored answer where all processes find it. Rejects when the store does not answer. */
export interface ResponseStore {
  keep(key: string, target: string): Promise<void>;
  find(key: string): Promise<string | null>;
}

const MOST_LOCAL = 20_000;
const MOST_PENDING = 1_000;
const MOST_ID_LENGTH = 256;

/**
 * Which target made which answer of the Responses API: only that one knows it (`previous_response_id`). Kept in this process
 * for the latest answers and in the store for all; what neither knows is routed like any other call.
 */
export class ResponseOwners {
  readonly #local = new Map<string, string>();
  #pending = 0;

  constructor(private readonly store: ResponseStore | null) {}

  /** Notes who made an answer. Not awaited: when the store is slow the note stays in this process only. */
  remember(orgId: string, responseId: string, target: string): void {
    if (responseId === '' || responseId.length > MOST_ID_LENGTH) return;
    const key = keyOf(orgId, responseId);
    this.#local.set(key, target);
    if (this.#local.size > MOST_LOCAL) {
      const [oldest] = this.#local.keys();
      if (oldest !== undefined) this.#local.delete(oldest);
    }
    if (this.store === null || this.#pending >= MOST_PENDING) return;
    this.#pending++;
    this.store
      .keep(key, target)
      .catch(() => {})
      .finally(() => this.#pending--);
  }

  /** The target that made an answer, from this process's memory alone; `undefined` when it does not know. */
  known(orgId: string, responseId: string): string | undefined {
    return this.#local.get(keyOf(orgId, responseId));
  }

  /** The target that made an answer, asking the store when this process does not know; `null` when nobody does or it is away. */
  async find(orgId: string, responseId: string): Promise<string | null> {
    if (responseId === '' || responseId.length > MOST_ID_LENGTH) return null;
    const local = this.known(orgId, responseId);
    if (local !== undefined || this.store === null) return local ?? null;
    return this.store.find(keyOf(orgId, responseId)).catch(() => null);
  }
}

/** Ids come from providers: hashed they have one length and no odd characters, and organisations stay apart. */
function keyOf(orgId: string, responseId: string): string {
  return createHash('sha256').update(`${orgId}\n${responseId}`).digest('base64url').slice(0, 32);
}
