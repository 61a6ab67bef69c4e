/** $9,000,000. Lua and JavaScript count nano-dollars in doubles, which are exact below 2^53; sums stay below it too. */
export const MOST_USD = 9_000_000;

/**
 * A decimal amount as a person writes it (10.1, 0.000000001) in integer nano-dollars (1e-9 USD), exactly. The shortest decimal
 * that names the number counts: 10.1 is 10,100,000,000 and not what the binary fraction beside it is worth.
 * @returns `null` when the amount is negative, not finite, above {@link MOST_USD}, or has more than nine decimals
 */
export function usdToNanos(usd: number): number | null {
  if (!(usd >= 0) || usd > MOST_USD) return null;
  // Below 1e-6 JavaScript writes exponents.
  const text = usd < 1e-6 ? usd.toFixed(15).replace(/0+$/, '') : String(usd);
  const [whole = '', fraction = ''] = text.split('.');
  if (fraction.length > 9) return null;
  return Number(whole) * 1e9 + Number(fraction.padEnd(9, '0'));
}

/** Nano-dollars as a number of USD: what {@link usdToNanos} was given. */
export function nanosToUsd(nanos: number): number {
  return nanos / 1e9;
}

/** The same as {@link nanosToUsdText} for an amount that is a whole number below 2^53 and not negative; four times as fast. */
export function safeNanosToUsdText(nanos: number): string {
  const fraction = nanos % 1e9;
  const whole = String((nanos - fraction) / 1e9);
  if (fraction === 0) return whole;
  return `${whole}.${String(fraction).padStart(9, '0').replace(/0+$/, '')}`;
}

/** Nano-dollars as decimal USD, exact: `0.000000001`. */
export function nanosToUsdText(nanos: bigint): string {
  const size = nanos < 0n ? -nanos : nanos;
  const fraction = String(size % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${nanos < 0n ? '-' : ''}${size / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}
