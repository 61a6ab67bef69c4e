import { usdToPicos } from './units.js';

describe('usdToPicos', () => {
  it.each([
    [0, 0],
    [1, 1_000_000],
    [0.003625, 3625],
    [0.1 + 0.2, 300_000], // 0.30000000000000004 means 0.3
    [0.18000000000000002, 180_000],
    [0.08333333333333334, 83_334], // finer than a pico-dollar: rounded up
    [600, 600_000_000],
  ])('KEY-5: $%p per million tokens is %p pico-dollars per token', (usd, picos) => {
    expect(usdToPicos(usd)).toBe(picos);
  });
  it('KEY-5: fees are per thousand uses', () => {
    expect(usdToPicos(10, 1000)).toBe(10_000_000_000);
  });
  it.each([-0.1, Number.NaN, Infinity, 1e20])('KEY-5: %p is refused', (bad) => {
    expect(() => usdToPicos(bad)).toThrow(RangeError);
  });
});
