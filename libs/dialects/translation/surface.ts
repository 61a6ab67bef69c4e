import type { DialectName, Operation } from '../dialect.js';

/** A wire format: a dialect and what is asked of it. */
export interface Surface {
  readonly dialect: DialectName;
  readonly operation: Operation;
}
