import { faultOfPeriod, type PeriodKind } from './period.js';

/**
 * What happens to a call whose estimate exceeds what is left (KEY-4). `clamp`: it gets at most a quarter of what is left,
 * never less than a useful minimum; below that it is refused. `strict`: all or refused. `soft`: counted, never refused.
 */
export const BUDGET_MODES = ['strict', 'clamp', 'soft'] as const;
export type BudgetMode = (typeof BUDGET_MODES)[number];

/** What a budget belongs to. */
export type BudgetScope = 'key' | 'user' | 'team' | 'app' | 'org' | 'tag';

/** A cap on what may be spent in one period. */
export interface BudgetDefinition {
  /** Unique within the organisation and stable: what was spent is counted under it. */
  readonly id: string;
  readonly scope: BudgetScope;
  /** Integer nano-dollars (1e-9 USD), 0 to {@link MOST_NANOS}. */
  readonly limitNanos: number;
  readonly period: PeriodKind;
  /** IANA zone in which the period begins. */
  readonly timeZone: string;
  /** 1 Monday … 7 Sunday. */
  readonly weekStart: number;
  readonly mode: BudgetMode;
  /** False: every call is reserved in Redis one by one, no slices. Default true. */
  readonly leased?: boolean;
}

/** $9,000,000. Lua and JavaScript count in doubles, which are exact below 2^53; sums stay below it too. */
export const MOST_NANOS = 9_000_000_000_000_000;

/** What one call may be charged to. Bounds the script's work; more is a mistake in somebody's tags. */
export const MOST_BUDGETS_OF_A_CALL = 32;

/** Names become parts of fields such as `<budget>|<period>` and of lines. */
const NAME = /^[^|\p{Cc}\p{Zl}\p{Zp}]{1,200}$/u;

/** A field of a definition that cannot be, with a sentence for whoever wrote it. */
export interface BudgetFault {
  readonly field: keyof BudgetDefinition;
  readonly message: string;
}

/** The first fault of a definition, `null` when it is sound. Never throws, whatever it is given. */
export function faultOfBudget(budget: BudgetDefinition): BudgetFault | null {
  if (typeof budget.id !== 'string' || !NAME.test(budget.id)) {
    return { field: 'id', message: 'a name has 1 to 200 characters, without | and control characters' };
  }
  const { limitNanos } = budget;
  if (!Number.isSafeInteger(limitNanos) || limitNanos < 0 || Object.is(limitNanos, -0)) {
    return { field: 'limitNanos', message: 'a limit is a whole number of nano-dollars, not negative' };
  }
  if (limitNanos > MOST_NANOS) {
    return {
      field: 'limitNanos',
      message: 'a limit is at most $9,000,000 a period: beyond that sums would not be exact',
    };
  }
  if (!BUDGET_MODES.includes(budget.mode)) {
    return { field: 'mode', message: `a mode is one of ${BUDGET_MODES.join(', ')}` };
  }
  const fault = faultOfPeriod({ kind: budget.period, timeZone: budget.timeZone, weekStart: budget.weekStart });
  if (fault === null) return null;
  return { field: fault.field === 'kind' ? 'period' : fault.field, message: fault.message };
}
