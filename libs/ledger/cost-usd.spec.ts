import { nanosToUsd } from './cost-usd.js';

describe('nanosToUsd', () => {
  it.each([
    [0n, '0'],
    [1n, '0.000000001'],
    [1_850_000n, '0.00185'],
    [1_000_000_000n, '1'],
    [12_500_000_000n, '12.5'],
    [9_223_372_036_854_775_807n, '9223372036.854775807'],
    [-1_500_000_000n, '-1.5'],
  ])('KEY-5: %s nano-dollars are exactly %s dollars', (nanos, usd) => {
    expect(nanosToUsd(nanos)).toBe(usd);
  });
});
