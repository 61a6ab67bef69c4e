import { describe, expect, it } from '@jest/globals';
import { periodAt } from '#libs/platform/zoned-time.js';
import { AccountBook } from './account-book.js';
import { stateOf } from './admission.js';
import type { BudgetDefinition } from './budget-definition.js';

const budget = (timeZone: string): BudgetDefinition => ({
  id: 'key:a:daily',
  scope: 'key',
  limitNanos: 1000,
  period: 'daily',
  timeZone,
  weekStart: 1,
  mode: 'strict',
});
const NOON_MS = Date.UTC(2026, 10, 21, 12);
const periodIn = (timeZone: string) => periodAt({ kind: 'daily', timeZone, weekStart: 1 }, NOON_MS);

describe('accounts of a budget whose zone changes', () => {
  it('KEY-2: what was spent of the day stays, and the day ends where the new zone says', () => {
    const book = new AccountBook(() => {});
    const before = book.of(budget('UTC'), periodIn('UTC'));
    before.used = 7;
    const after = book.of(budget('America/New_York'), periodIn('America/New_York'));
    expect([after, after.used]).toEqual([before, 7]);
    expect(stateOf(after)).toMatchObject({ period: periodIn('UTC').name, resetMs: Date.UTC(2026, 10, 22, 5) });
  });

  it('an account is forgotten by the end of the zone it has now', () => {
    const book = new AccountBook(() => {});
    const field = book.of(budget('UTC'), periodIn('UTC'));
    book.of(budget('America/New_York'), periodIn('America/New_York'));
    field.ceiling = 7;
    const graceMs = 2 * 86_400_000;
    book.evictEnded([Date.UTC(2026, 10, 22, 1) + graceMs]);
    expect(book.ceilings()).toHaveLength(1);
    book.evictEnded([Date.UTC(2026, 10, 22, 6) + graceMs]);
    expect(book.ceilings()).toHaveLength(0);
  });
});
