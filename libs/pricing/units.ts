/**
 * Units of price. Prices are kept as **pico-dollars** (1e-12 USD) per token or per use, because the finest published
 * price (fractions of a cent per million tokens) is a whole number of them: $1 per million tokens = 1,000,000 pico-dollars
 * per token. Costs leave this library as nano-dollars (1e-9 USD), rounded up once.
 */

/** Pico-dollars in one nano-dollar. */
export const PICOS_PER_NANO = 1000;

/**
 * USD per million tokens → pico-dollars per token; with `perUnits` 1000 it takes USD per thousand uses.
 * Floats such as 0.18000000000000002 mean the decimal beside them; what is really finer than a pico-dollar is rounded up.
 * @throws RangeError when the price is negative, not finite or beyond the safe integers.
 */
export function usdToPicos(usd: number, perUnits: 1_000_000 | 1000 = 1_000_000): number {
  const picos = usd * (1e12 / perUnits);
  if (!(picos >= 0) || picos > Number.MAX_SAFE_INTEGER) throw new RangeError(`not a price: ${usd}`);
  const nearest = Math.round(picos);
  const isNoise = Math.abs(picos - nearest) <= 1e-6 * Math.max(1, nearest * 1e-6);
  return isNoise ? nearest : Math.ceil(picos);
}
