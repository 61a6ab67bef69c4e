import { daysOf, readSpendRange } from './spend-range.js';
import { startOfDay } from '#libs/platform/zoned-time.js';

const NOW_MS = Date.parse('2026-11-21T18:30:00Z');
const iso = (ms: number): string => new Date(ms).toISOString();
const read = (written: { from?: string; to?: string; timeZone?: string }, zone = 'UTC') =>
  readSpendRange(written, zone, NOW_MS);

describe('the range of a report', () => {
  it('KEY-7: by default the last 30 days of the organisation’s zone, today included', () => {
    const { fromMs, toMs, timeZone } = read({}, 'Asia/Kolkata');
    expect([iso(fromMs), iso(toMs), timeZone]).toEqual([
      '2026-10-23T18:30:00.000Z',
      '2026-11-22T18:30:00.000Z', // it is the 22nd there
      'Asia/Kolkata',
    ]);
    expect(daysOf({ fromMs, toMs, timeZone }).map(({ name }) => name)).toHaveLength(30);
  });

  it('KEY-7: a day is 23, 24 or 25 hours long, and the days of a range leave no gap', () => {
    const hours = (from: string, to: string, zone: string): number[] =>
      daysOf(read({ from, to }, zone)).map((day) => (day.toMs - day.fromMs) / 3_600_000);
    expect(hours('2026-03-28', '2026-03-31', 'Europe/Berlin')).toEqual([24, 23, 24]);
    expect(hours('2026-10-24', '2026-10-27', 'Europe/Berlin')).toEqual([24, 25, 24]);
    expect(hours('2026-10-03', '2026-10-06', 'Australia/Lord_Howe')).toEqual([24, 23.5, 24]);
    const days = daysOf(read({ from: '2011-12-28', to: '2012-01-02' }, 'Pacific/Apia'));
    expect(days.map(({ name }) => name)).toEqual(['2011-12-28', '2011-12-29', '2011-12-31', '2012-01-01']);
    for (const [i, day] of days.slice(1).entries()) expect(day.fromMs).toBe(days[i]?.toMs);
  });

  it('KEY-7: edges inside a day cut its first and last day short', () => {
    const days = daysOf(read({ from: '2026-11-20T22:15:00Z', to: '2026-11-22T01:00:00+01:00' }));
    expect(days.map(({ name, fromMs, toMs }) => [name, (toMs - fromMs) / 60_000])).toEqual([
      ['2026-11-20', 105],
      ['2026-11-21', 1440],
    ]);
  });

  it.each([
    [{ timeZone: 'Nowhere/Town' }, 'time_zone'],
    [{ timeZone: '+02:00' }, 'time_zone'],
    [{ from: '2026-02-30' }, 'from'],
    [{ to: '2026-13-01' }, 'to'],
    [{ from: '2026-11-20T00:01:00Z' }, 'from'],
    [{ from: '2026-11-30', to: '2026-11-30' }, 'from'],
    [{ from: '0001-01-01' }, 'from'],
    [{ to: '9999-12-31' }, 'to'],
    [{ from: '2010-01-01', to: '2026-01-01' }, 'from'],
  ])('KEY-7: %j is refused with the field named', (written, param) => {
    expect(() => read(written)).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
  });

  it('KEY-7: the days of every zone begin on a quarter of an hour, which is what roll-ups are made of', () => {
    const first = Math.floor(Date.UTC(2026, 0, 1) / 86_400_000);
    for (const timeZone of Intl.supportedValuesOf('timeZone')) {
      for (let day = 0; day < 370; day += 7) expect(startOfDay(timeZone, first + day) % 900_000).toBe(0);
    }
    for (const timeZone of ['Africa/Monrovia', 'Asia/Kathmandu', 'America/Caracas', 'Asia/Pyongyang', 'Pacific/Apia']) {
      for (let day = -9490; day < 370; day += 11) expect(startOfDay(timeZone, first + day) % 900_000).toBe(0);
    }
  });
});
