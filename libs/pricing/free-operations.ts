import type { Operation } from '#libs/dialects/index.js';

const FREE: ReadonlySet<Operation> = new Set<Operation>(['count_tokens', 'gemini_count_tokens']);

/** Operations that no provider charges for. */
export function isFreeOperation(operation: Operation): boolean {
  return FREE.has(operation);
}
