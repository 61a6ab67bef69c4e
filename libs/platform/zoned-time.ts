// The entry of the calendar part: days and periods in IANA time zones.
export { faultOfPeriod, PERIOD_KINDS, periodAt } from './zoned-time/period.js';
export type { Period, PeriodKind, PeriodRule } from './zoned-time/period.js';
export { dayAt, dayNumber, dayOfNumber, isoDay, isTimeZone, startOfDay } from './zoned-time/zoned-days.js';
export type { CalendarDay } from './zoned-time/zoned-days.js';
