// Reading values whose shape is not (yet) known to be right: what does not fit is as good as absent.

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A field of a mapping; `undefined` when there is no mapping or no such field of its own. */
export function field(value: unknown, name: string): unknown {
  return isMapping(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** Name and value of each field of `value[name]`. */
export function entriesOf(value: unknown, name: string): [string, unknown][] {
  const found = field(value, name);
  return isMapping(found) ? Object.entries(found) : [];
}

/** The entries of the list `value[name]`. */
export function listOf(value: unknown, name: string): unknown[] {
  const found = field(value, name);
  return Array.isArray(found) ? found : [];
}

/** The text `value[name]`; `undefined` when it is none. */
export function textOf(value: unknown, name: string): string | undefined {
  const found = field(value, name);
  return typeof found === 'string' ? found : undefined;
}
