const NANOS = 1_000_000_000n;

/** Nano-dollars as an exact decimal string of US dollars, without needless zeros: `1850000n` → `"0.00185"`. */
export function nanosToUsd(nanos: bigint): string {
  const size = nanos < 0n ? -nanos : nanos;
  const fraction = String(size % NANOS)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${nanos < 0n ? '-' : ''}${size / NANOS}${fraction === '' ? '' : `.${fraction}`}`;
}
