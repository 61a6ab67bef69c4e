import type { FailureClass, Strategy } from '#libs/platform/config.js';
import type { ActionTable } from './error-matrix.js';
import type { Target } from './model-index.js';
import type { TargetState } from './target-state.js';

/** One target of a plan. */
export interface PlanTarget {
  /** `provider/model`: under which its health is known. */
  readonly id: string;
  readonly target: Target;
  /** Above 0. */
  readonly weight: number;
  /** To the first content of the answer. */
  readonly firstByteMs: number;
  /** Between two chunks. */
  readonly idleMs: number;
  /** Cost of a nominal call at the prices of this moment in nano-dollars, for comparison only; `null`: no price is known. */
  readonly costNanos: () => number | null;
  /** Context window; `null`: unknown. */
  readonly contextTokens: number | null;
  readonly state: TargetState;
}

export interface PlanStep {
  readonly strategy: Strategy;
  /** Only entered after a failure of one of these classes; `null`: after any, and first. */
  readonly on: ReadonlySet<FailureClass> | null;
  /** At least one. */
  readonly targets: readonly PlanTarget[];
  /** For round-robin: whose turn it is. The only part that changes. */
  readonly turn: { next: number };
}

/** Limits of one request. */
export interface RetryPolicy {
  /** Attempts of a request, all targets together: its retry budget. */
  readonly maxAttempts: number;
  readonly attemptsPerTarget: number;
  /** From the start of the request: later no attempt begins, and none is waited for that has sent no content. */
  readonly deadlineMs: number;
  readonly baseMs: number;
  readonly maxBackoffMs: number;
}

/** Where a request may go and what is done when it fails; compiled once, immutable but for the turns. */
export interface RoutePlan {
  /** Name of the chain; `null` for a model by itself. */
  readonly chain: string | null;
  /** Empty when no target can be reached. */
  readonly steps: readonly PlanStep[];
  readonly retry: RetryPolicy;
  readonly actions: ActionTable;
  /** Some step has a choice that conversations should stick to. */
  readonly usesAffinity: boolean;
  /** Whether targets that cool down are passed over. Not for a model by itself: refusing its calls would help nobody. */
  readonly heedsBreakers: boolean;
}
