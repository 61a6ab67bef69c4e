import { describe, expect, it } from '@jest/globals';
import { type BudgetDefinition, faultOfBudget, MOST_NANOS } from './budget-definition.js';

const sound: BudgetDefinition = {
  id: 'key_1',
  scope: 'key',
  limitNanos: 1,
  period: 'daily',
  timeZone: 'UTC',
  weekStart: 1,
  mode: 'clamp',
};
const faultOf = (change: object): string | null => faultOfBudget({ ...sound, ...change })?.field ?? null;

describe('what a budget may say', () => {
  it('accepts what can be counted exactly', () => {
    for (const limitNanos of [0, 1, MOST_NANOS]) expect(faultOf({ limitNanos })).toBeNull();
    expect(faultOf({ id: 'Team Ä/ö: 7' })).toBeNull();
  });

  it('refuses amounts beyond the exact range and what is no amount, by name', () => {
    for (const limitNanos of [-1, -0, 0.5, NaN, Infinity, MOST_NANOS + 1, 2 ** 53, '5', null, undefined, 5n]) {
      expect(faultOf({ limitNanos })).toBe('limitNanos');
    }
    expect(faultOfBudget({ ...sound, limitNanos: MOST_NANOS + 1 })?.message).toContain('$9,000,000');
  });

  it('refuses names that would break fields and lines', () => {
    for (const id of ['', 'a|b', 'a\nb', 'a\tb', 'a\0', 'a\u2028b', 'x'.repeat(201), null, 7])
      expect(faultOf({ id })).toBe('id');
  });

  it('refuses unknown periods, zones, week starts and modes, by name', () => {
    expect(faultOf({ period: 'hourly' })).toBe('period');
    expect(faultOf({ timeZone: 'Europe/Atlantis' })).toBe('timeZone');
    expect(faultOf({ weekStart: 0 })).toBe('weekStart');
    expect(faultOf({ mode: 'loose' })).toBe('mode');
  });
});
