import { dayAt, dayNumber, dayOfNumber, isTimeZone, startOfDay } from './zoned-days.js';

export const PERIOD_KINDS = ['daily', 'weekly', 'monthly', 'lifetime'] as const;
export type PeriodKind = (typeof PERIOD_KINDS)[number];

/** How a budget's time is cut. */
export interface PeriodRule {
  readonly kind: PeriodKind;
  /** IANA zone in whose calendar days begin. */
  readonly timeZone: string;
  /** First day of a week: 1 Monday … 7 Sunday. */
  readonly weekStart: number;
}

/** One period: `[startMs, endMs)` in ms since 1970. A reset is nothing but the next name (KEY-2). */
export interface Period {
  /** `d2026-11-21`, `w2026-11-16` (its first day), `m2026-11`, `life`. Sorts by time within a kind. */
  readonly name: string;
  /** −Infinity for a lifetime. */
  readonly startMs: number;
  /** Infinity for a lifetime. */
  readonly endMs: number;
}

const LIFETIME: Period = { name: 'life', startMs: -Infinity, endMs: Infinity };
const MOST_PERIODS = 4096;
const known = new Map<string, Period>();

/** What is wrong with a rule, as the name of its field and a sentence; `null` when nothing is. */
export function faultOfPeriod(rule: PeriodRule): { readonly field: keyof PeriodRule; readonly message: string } | null {
  if (!PERIOD_KINDS.includes(rule.kind)) {
    return { field: 'kind', message: `a period is one of ${PERIOD_KINDS.join(', ')}` };
  }
  if (!isTimeZone(rule.timeZone)) {
    return { field: 'timeZone', message: 'not a time zone of the IANA database, such as Europe/Berlin' };
  }
  if (!Number.isInteger(rule.weekStart) || rule.weekStart < 1 || rule.weekStart > 7) {
    return { field: 'weekStart', message: 'a week starts on day 1 (Monday) to 7 (Sunday)' };
  }
  return null;
}

/** The period that a moment belongs to. @param nowMs ms since 1970, of the store's clock */
export function periodAt(rule: PeriodRule, nowMs: number): Period {
  if (rule.kind === 'lifetime') return LIFETIME;
  const memo = `${rule.kind} ${rule.weekStart} ${rule.timeZone}`;
  const last = known.get(memo);
  if (last !== undefined && nowMs >= last.startMs && nowMs < last.endMs) return last;
  const period = cut(rule, dayAt(rule.timeZone, nowMs));
  if (known.size >= MOST_PERIODS) known.clear();
  known.set(memo, period);
  return period;
}

/** The period of `rule` that holds day `today`. */
function cut({ kind, timeZone, weekStart }: PeriodRule, today: number): Period {
  const { year, month, day } = dayOfNumber(today);
  let [name, first, next] = [`d${isoDay(today)}`, today, today + 1];
  if (kind === 'weekly') {
    first = today - ((((weekdayOf(today) - weekStart) % 7) + 7) % 7);
    [name, next] = [`w${isoDay(first)}`, first + 7];
  } else if (kind === 'monthly') {
    first = today - day + 1;
    name = `m${isoDay(first).slice(0, 7)}`;
    next = dayNumber(month === 12 ? { year: year + 1, month: 1, day: 1 } : { year, month: month + 1, day: 1 });
  }
  return { name, startMs: startOfDay(timeZone, first), endMs: startOfDay(timeZone, next) };
}

/** 1 Monday … 7 Sunday; 1 January 1970 was a Thursday. */
function weekdayOf(number: number): number {
  return ((((number + 3) % 7) + 7) % 7) + 1;
}

function isoDay(number: number): string {
  const { year, month, day } = dayOfNumber(number);
  return `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
}
