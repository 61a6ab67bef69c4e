import { describe, expect, it } from '@jest/globals';
import { Account } from './account.js';
import type { BudgetDefinition } from './budget-definition.js';

const LIFE = { name: 'life', startMs: -Infinity, endMs: Infinity };
const account = (limitNanos: number, more: Partial<BudgetDefinition> = {}): Account => {
  const made = new Account(
    { id: 'a', scope: 'key', limitNanos, period: 'lifetime', timeZone: 'UTC', weekStart: 1, mode: 'clamp', ...more },
    LIFE,
  );
  made.lastWant = 1000;
  return made;
};

describe('slices', () => {
  it('KEY-4: begin at four calls and double while they run dry within 250 ms', () => {
    const a = account(1e9);
    a.lastUseMs = 1000;
    expect(a.slackGoal(1000, 10_000)).toBe(4000);
    a.lastUseMs = 1100;
    expect(a.slackGoal(1100, 10_000)).toBe(8000);
    a.lastUseMs = 5000;
    expect(a.slackGoal(5000, 10_000)).toBe(4000); // slow: half
  });

  it('KEY-4: are at most a sixteenth of what is free, and vanish when smaller than one call', () => {
    const a = account(32_000);
    a.lastUseMs = 1000;
    expect(a.slackGoal(1000, 10_000)).toBe(2000);
    a.total = 20_000;
    a.lastUseMs = 1010;
    expect(a.slackGoal(1010, 10_000)).toBe(0);
  });

  it('KEY-4: shrink to a sixty-fourth of what is free when idle, then to nothing', () => {
    const a = account(64_000_000);
    a.lastUseMs = 0;
    a.slice = 4_000_000;
    a.ceiling = 4_000_000;
    expect(a.slackGoal(300, 10_000)).toBe(1_000_000);
    expect(a.slackGoal(10_001, 10_000)).toBe(0);
  });

  it('KEY-4: amounts beyond 32 bits are halved and doubled exactly', () => {
    const a = account(8e15);
    a.slice = 5_000_000_000;
    a.lastUseMs = 3000;
    a.lastRefillMs = 0;
    expect(a.slackGoal(3000, 10_000)).toBe(2_500_000_000);
  });

  it('KEY-4: none while somebody is short, none for a budget without slices', () => {
    const a = account(1e9);
    a.lastUseMs = 100;
    a.tighten(100);
    expect(a.slackGoal(100, 10_000)).toBe(0);
    expect(a.slackGoal(601, 10_000)).toBeGreaterThanOrEqual(0);
    const single = account(1e9, { leased: false });
    single.lastUseMs = 100;
    expect(single.slackGoal(100, 10_000)).toBe(0);
  });

  it('KEY-3: what remains is never negative and counts what others own', () => {
    const a = account(1000);
    a.others = 300;
    a.used = 200;
    a.held = 100;
    expect(a.remaining).toBe(400);
    a.used = 5000;
    expect(a.remaining).toBe(0);
  });
});
