import { inspect } from 'node:util';

const MASK = '[secret]';

/**
 * A value that must never be printed: string conversion, JSON, `util.inspect` and template literals all give `[secret]`.
 * `reveal()` is the only way to the value, so every use of a credential can be found by that name.
 */
export class Secret<T extends string = string> {
  readonly #value: T;
  constructor(value: T) {
    this.#value = value;
  }
  reveal(): T {
    return this.#value;
  }
  toString(): string {
    return MASK;
  }
  toJSON(): string {
    return MASK;
  }
  [inspect.custom](): string {
    return MASK;
  }
}
