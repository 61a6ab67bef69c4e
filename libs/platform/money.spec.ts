import { nanosToUsd, nanosToUsdText, safeNanosToUsdText, usdToNanos } from './money.js';

describe('usdToNanos', () => {
  it.each([
    [0, 0],
    [1, 1_000_000_000],
    [0.1, 100_000_000],
    [10.1, 10_100_000_000],
    [0.000000001, 1],
    [0.0000001, 100],
    [0.123456789, 123_456_789],
    [8_999_999.99, 8_999_999_990_000_000],
    [9_000_000, 9_000_000_000_000_000],
  ])('KEY-2: $%d is %d nano-dollars, and comes back as it was written', (usd, nanos) => {
    expect(usdToNanos(usd)).toBe(nanos);
    expect(nanosToUsd(nanos)).toBe(usd);
  });

  it.each([-1, -0.01, NaN, Infinity, -Infinity, 9_000_000.01, 1e300, 0.1234567891, 1e-10])('refuses %d', (usd) => {
    expect(usdToNanos(usd)).toBeNull();
  });

  it('is exact for every cent up to a thousand dollars', () => {
    for (let cents = 0; cents <= 100_000; cents++) {
      if (usdToNanos(cents / 100) !== cents * 10_000_000) throw new Error(`${cents} cents`);
    }
  });
});

describe('safeNanosToUsdText', () => {
  it.each([0, 1, 10, 999_999_999, 1_000_000_000, 1_850_000, 10_100_000_000, 9_000_000_000_000_000, 2 ** 53 - 1])(
    'KEY-3: %d is written as the exact one writes it',
    (nanos) => {
      expect(safeNanosToUsdText(nanos)).toBe(nanosToUsdText(BigInt(nanos)));
    },
  );
});
