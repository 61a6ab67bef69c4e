import { systemClock } from './clock.js';

it('now is wall time in milliseconds', () => {
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000);
});

it('monotonic never goes back', () => {
  const times = Array.from({ length: 1000 }, () => systemClock.monotonic());
  expect(times).toEqual([...times].sort((a, b) => a - b));
});
