/** A 32-bit hash of two texts (FNV-1a with a final mix): cheap, and the same in every process. */
function hash32(a: string, b: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < a.length; i++) hash = Math.imul(hash ^ a.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ 0xff, 0x01000193);
  for (let i = 0; i < b.length; i++) hash = Math.imul(hash ^ b.charCodeAt(i), 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Score of a target for a key; the highest wins, each target in proportion to its weight (weighted rendezvous hashing). */
export function affinityScore(key: string, targetId: string, weight: number): number {
  const share = (hash32(key, targetId) + 0.5) / 0x1_0000_0000;
  return -weight / Math.log(share);
}

const MOST_CONVERSATIONS = 20_000;
/** Providers keep cached prompts for an hour at most. */
const KEPT_MS = 3_600_000;

/** Which target a conversation went to last. Bounded: the longest unused is forgotten. */
export class StickyTargets {
  readonly #targets = new Map<string, { readonly id: string; readonly atMs: number }>();

  find(key: string, nowMs: number): string | null {
    const found = this.#targets.get(key);
    return found === undefined || nowMs - found.atMs > KEPT_MS ? null : found.id;
  }

  remember(key: string, id: string, nowMs: number): void {
    this.#targets.delete(key);
    this.#targets.set(key, { id, atMs: nowMs });
    if (this.#targets.size <= MOST_CONVERSATIONS) return;
    const [oldest] = this.#targets.keys();
    if (oldest !== undefined) this.#targets.delete(oldest);
  }
}
