import type { FailureClass } from '#libs/platform/config.js';

/** A breaker that some process opened. */
export interface SharedOpening {
  /** `provider/model`. */
  readonly target: string;
  readonly reason: FailureClass;
  /** What is left of the cool-down, in ms. */
  readonly coolMs: number;
}

/** A process's decision, as others hear of it. */
export type SharedChange = SharedOpening | { readonly target: string; readonly reason: null; readonly coolMs: null };

/**
 * What processes tell each other about targets. Every call decides on what its process knows: this is asked and told beside
 * the calls, and while it is away each process goes by its own experience.
 */
export interface HealthShare {
  /**
   * Tells the others. Rejects when the store does not answer.
   * @param isNamed the target's name comes from a caller: such names get only a part of the room that the store has
   */
  tell(change: SharedChange, isNamed?: boolean): Promise<void>;
  /** All openings whose time is not over. Rejects when the store does not answer. */
  openings(): Promise<readonly SharedOpening[]>;
  /** Changes told by others, as they happen; some may be lost. Returns how to stop. */
  listen(onChange: (change: SharedChange) => void): () => void;
}
