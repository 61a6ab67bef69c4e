import type { FailureClass } from '#libs/platform/config.js';

/** One attempt that failed, as far as routing is concerned. */
export interface Failure {
  readonly class: FailureClass;
  /** The provider's status; `null` when no status line had arrived. */
  readonly status: number | null;
  /** How long the provider asks to be left alone, in ms; `null`: it did not say. */
  readonly retryAfterMs: number | null;
}

/** A failure without an answer of the provider. */
export function failureOf(failureClass: FailureClass): Failure {
  return { class: failureClass, status: null, retryAfterMs: null };
}
