import { describe, expect, it } from '@jest/globals';
import { chargedUntilMs } from './period-end.js';

const DAY_MS = 86_400_000;

describe('until when a period is charged', () => {
  it('KEY-2: never before it has ended in the last zone and every call in it is over', () => {
    for (const [field, end] of [
      ['k|d2026-11-21', '2026-11-22T12:00:00Z'],
      ['k|w2026-11-16', '2026-11-23T12:00:00Z'],
      ['k|m2026-11', '2026-12-01T12:00:00Z'],
      ['k|m2026-12', '2027-01-01T12:00:00Z'],
      ['a|b|d2028-02-29', '2028-03-01T12:00:00Z'],
    ] as const) {
      expect(chargedUntilMs(field)).toBe(Date.parse(end) + 2 * DAY_MS);
    }
  });

  it('KEY-2: for ever, where the name is not one of a period', () => {
    for (const field of ['k|life', 'k', 'k|p17', 'k|d2026-11', 'k|m2026-11-21', 'd2026-11-21', 'k|d2026-11-21x', '']) {
      expect(chargedUntilMs(field)).toBe(Infinity);
    }
  });
});
