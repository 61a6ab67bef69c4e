import type { PeriodKind } from '#libs/platform/zoned-time.js';
import type { BudgetScope } from './budgets/budget-definition.js';

/** A budget as events tell of it. */
export interface EventBudget {
  readonly orgId: string;
  readonly id: string;
  readonly scope: BudgetScope;
  /** What people call whoever has it. */
  readonly ownerName: string;
  readonly limitNanos: number;
  readonly period: PeriodKind;
}

/** A moment in the life of a budget. */
export interface EventMoment {
  /** Name of the period, such as `m2026-11`. */
  readonly period: string;
  readonly spentNanos: bigint;
  readonly atMs: number;
}

/**
 * Who wants to know what happens to budgets (KEY-7). Called on the hot path: never awaited, never throws. Telling the same
 * thing again, from any process, does no harm: what is told once per budget, period, limit and share is found out later.
 */
export interface BudgetEvents {
  /** @param share of the limit that was reached: 0.8 is 80 % */
  crossed(budget: EventBudget, share: number, moment: EventMoment): void;
  /** A call was refused, or nothing is left. */
  exhausted(budget: EventBudget, moment: EventMoment): void;
  /** A call cost more than was set aside for it: its bound was no bound. */
  estimateExceeded(call: {
    readonly orgId: string;
    readonly requestId: string;
    readonly provider: string;
    readonly model: string;
    readonly boundNanos: number;
    readonly costNanos: number;
    readonly atMs: number;
  }): void;
}

/** Shares of a limit that a rise of spending passed, ascending: what `crossed` is to be called for. */
export function sharesPassed(
  warnAt: readonly number[],
  limitNanos: number,
  beforeNanos: number,
  afterNanos: number,
): readonly number[] {
  return warnAt.filter((share) => {
    const edge = share * limitNanos;
    return beforeNanos < edge && afterNanos >= edge;
  });
}
