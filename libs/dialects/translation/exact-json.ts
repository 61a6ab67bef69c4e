/** A number as it was written: it stringifies to the same digits. */
export interface WrittenNumber {
  readonly rawJSON: string;
}

/** In the supported versions of Node; TypeScript's library does not know them yet. */
const exact = JSON as unknown as {
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source: string }) => unknown): unknown;
  rawJSON(text: string): WrittenNumber;
  isRawJSON(value: unknown): value is WrittenNumber;
};

/** May stand before a number that has at least the 16 digits of 2^53. */
const LONG_NUMBER = /[[:,\s-]\d{16}/;

/**
 * `JSON.parse` that keeps numbers beyond 2^53 (ids, limits of schemas) as they were written, for what goes on to the other
 * side. Only a text that has long numbers takes the slower way. @throws SyntaxError
 */
export function parseExactly(text: string): unknown {
  return LONG_NUMBER.test(text) ? exact.parse(text, keepLong) : JSON.parse(text);
}

function keepLong(_key: string, value: unknown, { source }: { readonly source: string }): unknown {
  return typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER ? exact.rawJSON(source) : value;
}

export const isWritten = (value: unknown): value is WrittenNumber => exact.isRawJSON(value);
