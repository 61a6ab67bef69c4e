/** What a budget and a rate limit may be, for the file and the admin API alike (CFG-5). */

export const BUDGET_PERIODS = ['daily', 'weekly', 'monthly', 'lifetime'] as const;
export const BUDGET_MODES = ['clamp', 'strict', 'soft'] as const;
export const WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;
/** A weekday by name or, as ISO 8601 counts them, 1 (Monday) to 7. */
export const WEEK_STARTS = [...WEEKDAYS, 1, 2, 3, 4, 5, 6, 7] as const;

/** Budgets of one owner: each period once, and once more as `soft`. */
export const MOST_BUDGETS = 8;
export const MOST_WARNINGS = 8;
/** Ten times the limit: a `soft` budget may be exceeded. */
export const MOST_WARN_AT = 10;
export const MOST_RPM = 100_000_000;
export const MOST_TPM = 1_000_000_000_000;
export const MOST_PARALLEL = 1_000_000;

/** One visible line, without what separates fields of counters (`|`) or parts of an address. */
export const OWNER_NAME = /^(?! )[^|/\\%\p{C}\p{Zl}\p{Zp}]{1,128}(?<! )$/u;
export const TAG_NAME = /^(?! )[^|\p{C}\p{Zl}\p{Zp}]{1,128}(?<! )$/u;

export type BudgetPeriod = (typeof BUDGET_PERIODS)[number];
export type BudgetConfigMode = (typeof BUDGET_MODES)[number];
export type WeekStart = (typeof WEEK_STARTS)[number];

/** A budget as its owner declares it. */
export interface BudgetConfig {
  readonly limitNanos: number;
  readonly period: BudgetPeriod;
  /** `null`: the organisation's. */
  readonly timeZone: string | null;
  /** 1 Monday … 7 Sunday; `null`: the organisation's. */
  readonly weekStart: number | null;
  readonly mode: BudgetConfigMode;
  /** Shares of the limit at which to warn, ascending; 1 is all of it. */
  readonly warnAt: readonly number[];
}

/** Rate limits as their owner declares them; `null`: no limit. */
export interface LimitsConfig {
  readonly rpm: number | null;
  readonly tpm: number | null;
  readonly maxParallel: number | null;
}

export const NO_LIMITS: LimitsConfig = { rpm: null, tpm: null, maxParallel: null };

/** 1 Monday … 7 Sunday. */
export function weekdayNumber(day: WeekStart): number {
  return typeof day === 'number' ? day : WEEKDAYS.indexOf(day) + 1;
}

/** IANA names only: a fixed offset such as +02:00 has no summer time and is hardly what was meant. */
export function isTimeZone(zone: string): boolean {
  if (!/^[A-Za-z]/.test(zone)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

/**
 * Index of the first budget that has the same counter as an earlier one: two daily caps on one owner are one cap, the lower.
 * A `soft` one beside a hard one is counted apart. `-1` when there is none.
 */
export function doubledBudget(budgets: readonly { readonly period?: unknown; readonly mode?: unknown }[]): number {
  const counted = budgets.map(({ period, mode }) => `${String(period)} ${mode === 'soft' ? 'soft' : 'hard'}`);
  return counted.findIndex((name, index) => counted.indexOf(name) < index);
}
