import { AppError } from '#libs/platform/errors.js';
import { dayAt, dayNumber, isoDay, isTimeZone, startOfDay } from '#libs/platform/zoned-time.js';
import { QUARTER_MS } from '../rollups/rollup-sql.js';
import type { SpendRange } from './spend-report.js';

const DEFAULT_DAYS = 30;
/** Bounds what one report may group by: about ten years. */
const MOST_DAYS = 3700;
/** Before that some zone's days began off the quarter of an hour; after that nobody knows the zones' rules. */
const FIRST_MS = Date.UTC(2000, 0, 1);
const LAST_MS = Date.UTC(2200, 0, 1);
const DAY = /^(\d{4})-(\d\d)-(\d\d)$/;

/** What a caller wrote; absent parts have defaults. */
export interface WrittenRange {
  /** A day of the zone, or a moment with its offset. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly timeZone?: string | undefined;
}

/** One day of a range with its edges in ms since 1970. */
export interface SpendDay {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * The range of a report: `from` inclusive, `to` exclusive; by default the last 30 days, today included. Days begin in the
 * zone, whatever its clocks do that night.
 *
 * @throws AppError `invalid_request` with the name of the field
 */
export function readSpendRange(written: WrittenRange, zoneOfOrg: string, nowMs: number): SpendRange {
  const timeZone = written.timeZone ?? zoneOfOrg;
  if (!isTimeZone(timeZone)) {
    throw wrong('time_zone', 'must be a time zone of the IANA database, such as Europe/Berlin');
  }
  const toMs =
    written.to === undefined ? startOfDay(timeZone, dayAt(timeZone, nowMs) + 1) : edge('to', written.to, timeZone);
  const fromMs =
    written.from === undefined
      ? startOfDay(timeZone, dayAt(timeZone, toMs - 1) - (DEFAULT_DAYS - 1))
      : edge('from', written.from, timeZone);
  if (fromMs >= toMs) throw wrong('from', 'must be before "to"');
  if (dayAt(timeZone, toMs) - dayAt(timeZone, fromMs) > MOST_DAYS) {
    throw wrong('from', `a report covers at most ${MOST_DAYS} days`);
  }
  return { fromMs, toMs, timeZone };
}

/** The days that a range touches, cut at its edges. */
export function daysOf({ fromMs, toMs, timeZone }: SpendRange): readonly SpendDay[] {
  const days: SpendDay[] = [];
  let number = dayAt(timeZone, fromMs);
  for (let startMs = fromMs; startMs < toMs; number++) {
    const endMs = Math.min(toMs, startOfDay(timeZone, number + 1));
    if (endMs > startMs) days.push({ name: isoDay(number), fromMs: startMs, toMs: endMs }); // a country may leave a day out
    startMs = endMs;
  }
  return days;
}

function edge(field: 'from' | 'to', text: string, timeZone: string): number {
  const day = DAY.exec(text);
  if (day === null) {
    const ms = Date.parse(text);
    if (!Number.isFinite(ms) || ms % QUARTER_MS !== 0) {
      throw wrong(field, 'must be a day, or a moment on a quarter of an hour with its offset');
    }
    return within(field, ms);
  }
  const [year, month, date] = [Number(day[1]), Number(day[2]), Number(day[3])];
  const number = dayNumber({ year, month, day: date });
  if (isoDay(number) !== text) throw wrong(field, 'must be a day of the calendar');
  return within(field, startOfDay(timeZone, number));
}

function within(field: 'from' | 'to', ms: number): number {
  if (ms < FIRST_MS || ms > LAST_MS) throw wrong(field, 'must lie between the years 2000 and 2200');
  return ms;
}

function wrong(param: string, message: string): AppError {
  return new AppError('invalid_request', {
    text: `"${param}" ${message}.`,
    param,
    faults: [{ path: param, message }],
  });
}
