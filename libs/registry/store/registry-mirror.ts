import type { RegistryDelta, RegistryHead } from '../document.js';

/** The copy of the registry that replicas read. Its methods reject when the mirror cannot be reached in time. */
export interface RegistryMirror {
  /** `null` when the mirror is empty or visibly damaged. */
  head(): Promise<RegistryHead | null>;
  /** What a replica at `from` lacks; a full read when the mirror no longer knows (or `from` is of another lineage). */
  read(from: RegistryHead): Promise<RegistryDelta>;
  /**
   * Brings the mirror from the head that was seen to the delta's head. False: somebody else changed it meanwhile, look again.
   * The mirror's content is replaced when the delta is `full`.
   */
  advance(seen: RegistryHead | null, delta: RegistryDelta): Promise<boolean>;
  /** Tells that a replica runs a version; forgotten when not repeated for `PRESENCE_MS`. */
  announce(instanceId: string, version: number): Promise<void>;
  /** Takes the announcement back, at an orderly end. */
  leave(instanceId: string): Promise<void>;
  /** Versions run by the replicas that announced themselves within `PRESENCE_MS`, by instance. */
  replicas(): Promise<ReadonlyMap<string, number>>;
}

/** Three missed polls: long enough for a busy process, short enough that `wait=applied` does not wait for the dead. */
export const PRESENCE_MS = 6_500;
