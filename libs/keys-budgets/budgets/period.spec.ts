import { describe, expect, it } from '@jest/globals';
import { faultOfPeriod, periodAt, PERIOD_KINDS, type PeriodKind, type PeriodRule } from './period.js';
import { startOfDay } from './zoned-days.js';

const HOUR_MS = 3_600_000;
const at = (iso: string): number => Date.parse(iso);
const rule = (kind: PeriodKind, timeZone = 'UTC', weekStart = 1): PeriodRule => ({ kind, timeZone, weekStart });
const bounds = (r: PeriodRule, iso: string): string[] => {
  const { name, startMs, endMs } = periodAt(r, at(iso));
  return [name, new Date(startMs).toISOString(), new Date(endMs).toISOString()];
};

/** Zones with the known oddities of the calendar: jumps at midnight, half hours, a day left out, dates shown twice. */
const ZONES = [
  'UTC', 'Europe/Berlin', 'America/New_York', 'America/Sao_Paulo', 'America/Havana', 'America/St_Johns', 'Asia/Kolkata',
  'Asia/Kathmandu', 'Asia/Beirut', 'Africa/Cairo', 'Australia/Lord_Howe', 'Pacific/Apia', 'Pacific/Kiritimati', 'Etc/GMT+12',
]; // prettier-ignore

function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

describe('periods of budgets', () => {
  it('KEY-2: a day lasts 23 hours when clocks go forward and 25 when they go back', () => {
    expect(bounds(rule('daily', 'Europe/Berlin'), '2026-03-29T10:00:00Z')).toEqual([
      'd2026-03-29', '2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z',
    ]); // prettier-ignore
    expect(bounds(rule('daily', 'Europe/Berlin'), '2026-10-25T00:30:00Z')).toEqual([
      'd2026-10-25', '2026-10-24T22:00:00.000Z', '2026-10-25T23:00:00.000Z',
    ]); // prettier-ignore
  });

  it('KEY-2: a day without midnight begins where its first hour begins', () => {
    expect(bounds(rule('daily', 'America/Sao_Paulo'), '2018-11-04T12:00:00Z')[1]).toBe('2018-11-04T03:00:00.000Z');
    expect(bounds(rule('daily', 'Africa/Cairo'), '2026-04-24T12:00:00Z')[1]).toBe('2026-04-23T22:00:00.000Z');
  });

  it('KEY-2: where the clock shows midnight twice the day begins at the first one', () => {
    // St John's set its clocks back at 00:01, to 23:01 of the day before
    const first = at('2009-11-01T02:30:00Z');
    expect(startOfDay('America/St_Johns', Date.UTC(2009, 10, 1) / (24 * HOUR_MS))).toBe(first);
    expect(periodAt(rule('daily', 'America/St_Johns'), first + 30 * 60_000).name).toBe('d2009-11-01');
  });

  it('KEY-2: a day that a country left out has no period', () => {
    expect(periodAt(rule('daily', 'Pacific/Apia'), at('2011-12-30T09:59:59Z')).name).toBe('d2011-12-29');
    expect(periodAt(rule('daily', 'Pacific/Apia'), at('2011-12-30T10:00:00Z')).name).toBe('d2011-12-31');
  });

  it('KEY-2: weeks begin on the day the budget says', () => {
    expect(bounds(rule('weekly', 'UTC', 1), '2026-11-21T12:00:00Z')).toEqual([
      'w2026-11-16', '2026-11-16T00:00:00.000Z', '2026-11-23T00:00:00.000Z',
    ]); // prettier-ignore
    expect(bounds(rule('weekly', 'UTC', 7), '2026-11-21T12:00:00Z')[0]).toBe('w2026-11-15');
    expect(bounds(rule('weekly', 'UTC', 6), '2026-11-21T12:00:00Z')[0]).toBe('w2026-11-21');
  });

  it('KEY-2: a month is a calendar month of the zone, not 30 days and not UTC', () => {
    expect(bounds(rule('monthly', 'America/New_York'), '2026-12-01T04:59:59Z')).toEqual([
      'm2026-11', '2026-11-01T04:00:00.000Z', '2026-12-01T05:00:00.000Z',
    ]); // prettier-ignore
    expect(bounds(rule('monthly', 'America/New_York'), '2026-12-01T05:00:00Z')[0]).toBe('m2026-12');
    expect(bounds(rule('monthly', 'Asia/Kolkata'), '2028-02-29T18:29:59.999Z')[0]).toBe('m2028-02');
  });

  it('KEY-2: a lifetime never ends', () => {
    expect(periodAt(rule('lifetime'), 0)).toEqual({ name: 'life', startMs: -Infinity, endMs: Infinity });
  });

  it('KEY-2: every moment lies in exactly one period, whatever the zone and its clock changes', () => {
    const random = numbers(7);
    for (const zone of ZONES) {
      for (let i = 0; i < 40; i++) {
        const ms = Math.floor(at('2000-01-01T00:00:00Z') + random() * 40 * 365.25 * 24 * HOUR_MS);
        for (const kind of PERIOD_KINDS) {
          const r = rule(kind, zone, 1 + (i % 7));
          const period = periodAt(r, ms);
          expect(period.startMs <= ms && ms < period.endMs).toBe(true);
          if (kind === 'lifetime') continue;
          expect(periodAt(r, period.startMs)).toEqual(period);
          expect(periodAt(r, period.endMs - 1)).toEqual(period);
          expect(periodAt(r, period.endMs).startMs).toBe(period.endMs); // no gap, no overlap
          expect(periodAt(r, period.startMs - 1).endMs).toBe(period.startMs);
        }
      }
    }
  });

  it('KEY-2: a clock that jumps back finds the period it was in, by the same name', () => {
    const random = numbers(99);
    for (const zone of ZONES) {
      const r = rule('daily', zone);
      const edge = periodAt(r, at('2026-10-25T12:00:00Z')).endMs;
      const names = new Map<number, string>();
      for (let i = 0; i < 60; i++) {
        const ms = edge + Math.floor((random() - 0.5) * 4 * HOUR_MS);
        names.set(ms, periodAt(r, ms).name);
      }
      for (const [ms, name] of [...names].sort(([a], [b]) => b - a)) expect(periodAt(r, ms).name).toBe(name);
      expect(new Set(names.values()).size).toBe(2);
    }
  });

  it('KEY-2: names sort as time does, so that an ended period can be told from its name', () => {
    const random = numbers(3);
    for (const kind of ['daily', 'weekly', 'monthly'] as const) {
      const r = rule(kind, 'Europe/Berlin', 3);
      const times = Array.from({ length: 60 }, () => at('2020-01-01T00:00:00Z') + random() * 9e11).sort(
        (a, b) => a - b,
      );
      const names = times.map((ms) => periodAt(r, ms).name);
      expect(names).toEqual([...names].sort());
    }
  });

  it('names the field of a rule that cannot be', () => {
    expect(faultOfPeriod(rule('yearly' as PeriodKind))?.field).toBe('kind');
    for (const zone of ['Mars/Olympus', '', '+02:00', 'Europe/Berlin|x', 'UTC\n', 'x'.repeat(100)]) {
      expect(faultOfPeriod(rule('daily', zone))?.field).toBe('timeZone');
    }
    for (const day of [0, 8, 1.5, NaN]) expect(faultOfPeriod(rule('weekly', 'UTC', day))?.field).toBe('weekStart');
    expect(faultOfPeriod(rule('monthly', 'Europe/Berlin'))).toBeNull();
  });
});
