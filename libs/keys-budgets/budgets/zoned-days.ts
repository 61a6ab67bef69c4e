/** A day of the calendar without a zone. */
export interface CalendarDay {
  readonly year: number;
  /** 1 … 12 */
  readonly month: number;
  /** 1 … 31 */
  readonly day: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Zones lie between −12 h and +14 h; a day begins within this distance of its midnight in UTC. */
const WINDOW_HOURS = 16;
const MOST_ZONES = 600;

const formatters = new Map<string, Intl.DateTimeFormat>();

/** @throws RangeError when the run time's zone data knows no such zone */
function formatterOf(timeZone: string): Intl.DateTimeFormat {
  let formatter = formatters.get(timeZone);
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'iso8601',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    if (formatters.size >= MOST_ZONES) formatters.clear();
    formatters.set(timeZone, formatter);
  }
  return formatter;
}

/** True for a name of the IANA time zone database that this run time knows, such as `Europe/Berlin` or `UTC`. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(name)) return false; // offsets such as +02:00 have no daylight saving
  try {
    formatterOf(name);
    return true;
  } catch {
    return false;
  }
}

/** What the wall clock of the zone shows at `ms`, written as if it were UTC (ms, whole seconds). */
function wallMs(timeZone: string, ms: number): number {
  const parts: Record<string, number> = {};
  for (const { type, value } of formatterOf(timeZone).formatToParts(ms)) parts[type] = Number(value);
  const { year, month, day, hour, minute, second } = parts as Record<string, number>;
  return Date.UTC(year as number, (month as number) - 1, day, hour, minute, second);
}

/** Number of a day, counted from 1 January 1970. */
export function dayNumber({ year, month, day }: CalendarDay): number {
  return Math.round(Date.UTC(year, month - 1, day) / DAY_MS);
}

export function dayOfNumber(number: number): CalendarDay {
  const at = new Date(number * DAY_MS);
  return { year: at.getUTCFullYear(), month: at.getUTCMonth() + 1, day: at.getUTCDate() };
}

function wallDay(timeZone: string, ms: number): number {
  return Math.floor(wallMs(timeZone, ms) / DAY_MS);
}

/**
 * The first moment at which the zone's calendar shows day `number` or a later one: usually midnight; 01:00 where clocks
 * jump over midnight; the earlier of two midnights where they are set back across it; the next day's beginning where a
 * day was left out (Samoa, 30 December 2011).
 */
export function startOfDay(timeZone: string, number: number): number {
  const midnight = number * DAY_MS;
  let before = midnight - WINDOW_HOURS * HOUR_MS;
  let reached = midnight + WINDOW_HOURS * HOUR_MS;
  // Midnight by the offset in force before and by the one after: the same unless clocks change that day.
  const exact = [before, reached].map((ms) => midnight - (wallMs(timeZone, ms) - ms));
  const shown = exact.filter((ms) => wallMs(timeZone, ms) === midnight);
  if (shown.length > 0) return Math.min(...shown);
  while (reached - before > 1) {
    const middle = Math.floor((before + reached) / 2);
    if (wallMs(timeZone, middle) < midnight) before = middle;
    else reached = middle;
  }
  return reached;
}

/**
 * The day that `ms` belongs to. Days are cut at {@link startOfDay}, so every moment belongs to exactly one, also where the
 * wall clock shows a date twice.
 */
export function dayAt(timeZone: string, ms: number): number {
  let number = wallDay(timeZone, ms) + 1;
  while (startOfDay(timeZone, number) > ms) number -= 1;
  return number;
}
