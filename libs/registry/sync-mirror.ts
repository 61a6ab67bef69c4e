import type { RegistryHead } from './document.js';
import type { RegistryMirror } from './store/registry-mirror.js';
import type { RegistryStore } from './store/registry-store.js';

/** Lag up to which only the changes are copied; each version changes one document. */
const MAX_CATCH_UP = 1_000;
const ATTEMPTS = 5;

/**
 * Makes the mirror equal to the durable registry and answers its head: catches up when it is behind, refills it when it is
 * empty, damaged or of another registry. When somebody has seen a version the durable registry does not have (it was
 * restored from a backup), the durable registry is still right, and its version is lifted so that every replica accepts it.
 *
 * @param seenVersion the highest version the caller has run
 */
export async function syncMirror(
  store: RegistryStore,
  mirror: RegistryMirror,
  seenVersion: number,
): Promise<RegistryHead> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    // The mirror first: a change is committed before it is mirrored, so what is read from the store afterwards can only
    // be lower if the store itself went back.
    const copy = await mirror.head();
    let truth = await store.head();
    const ahead = Math.max(copy?.version ?? -1, seenVersion);
    const wentBack =
      truth.version < ahead || (copy !== null && copy.lineage !== truth.lineage && truth.version <= ahead);
    if (wentBack) truth = await store.raiseAbove(ahead);
    else if (copy !== null && copy.lineage === truth.lineage && copy.version === truth.version) return truth;
    const catchUp = copy !== null && copy.lineage === truth.lineage && truth.version - copy.version <= MAX_CATCH_UP;
    const delta = await store.changesSince(catchUp ? copy.version : 0);
    if (await mirror.advance(copy, delta)) return delta.head;
  }
  throw new Error('the registry copy in Redis keeps changing under our hands');
}
