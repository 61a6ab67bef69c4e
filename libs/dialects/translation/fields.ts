import { AppError } from '#libs/platform/errors.js';
import { isWritten, type WrittenNumber } from './exact-json.js';
import type { Json, Setting } from './request-model.js';

/** Most names listed as dropped; what goes beyond is counted by a last entry. */
const MAX_DROPPED = 40;

/** What a request says that the target cannot be told. Names only, each once, safe to stand in a header. */
export class Dropped {
  private readonly names = new Set<string>();
  private more = 0;

  /** `place` as in `messages[2].name`; list positions are left out, so that one habit of a caller is one entry. */
  add(place: string): void {
    const name = place
      .replace(/\[\d+\]/g, '[]')
      .replace(/[^\w.[\]:-]/g, '_')
      .slice(0, 80);
    if (this.names.has(name)) return;
    if (this.names.size < MAX_DROPPED) this.names.add(name);
    else this.more++;
  }

  list(): string[] {
    return this.more === 0 ? [...this.names] : [...this.names, `and_${this.more}_more`];
  }
}

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isWritten(value);

/** A typed refusal that names the field. */
export function refuse(param: string, text: string): AppError {
  return new AppError('invalid_request', { text, param });
}

const given = (value: unknown): boolean => value !== undefined && value !== null;

/**
 * A JSON object of the caller's body, read with checks: a field of the wrong type is refused by name, a field nobody asked
 * about is listed as dropped by `rest()`. `null` counts as absent: SDKs write it for what is not set.
 */
export class Fields {
  private readonly seen = new Set<string>();

  constructor(
    private readonly json: Json,
    /** Place of the object, '' at the top. */
    readonly at: string,
    readonly dropped: Dropped,
    /** Google's JSON also takes snake_case for camelCase. */
    private readonly takesSnakeCase = false,
  ) {}

  static of(value: unknown, at: string, dropped: Dropped, takesSnakeCase = false): Fields {
    if (!isObject(value)) throw refuse(at, `"${at}" must be an object.`);
    return new Fields(value, at, dropped, takesSnakeCase);
  }

  place(name: string): string {
    return this.at === '' ? name : `${this.at}.${name}`;
  }

  raw(name: string): unknown {
    this.seen.add(name);
    const value = this.json[name];
    if (value !== undefined || !this.takesSnakeCase) return value ?? undefined;
    const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (snake === name) return undefined;
    this.seen.add(snake);
    return this.json[snake] ?? undefined;
  }

  has(name: string): boolean {
    return given(this.raw(name));
  }

  string(name: string): string | null {
    return this.typed<string>(name, 'string', 'a string');
  }

  requiredString(name: string): string {
    const value = this.string(name);
    if (value === null) throw refuse(this.place(name), `"${this.place(name)}" is missing: it must be a string.`);
    return value;
  }

  bool(name: string): boolean | null {
    return this.typed<boolean>(name, 'boolean', 'true or false');
  }

  number(name: string): number | null {
    const value = this.raw(name);
    return isWritten(value) ? Number(value.rawJSON) : this.typed<number>(name, 'number', 'a number');
  }

  numberSetting(name: string): Setting<number> | null {
    const value = this.number(name);
    return value === null ? null : { value, at: this.place(name) };
  }

  /** A number that only the provider understands: it keeps its digits. */
  exactSetting(name: string): Setting<number | WrittenNumber> | null {
    const value = this.raw(name);
    return isWritten(value) ? { value, at: this.place(name) } : this.numberSetting(name);
  }

  /** A count of tokens or the like: a whole number, at least 1. */
  countSetting(name: string): Setting<number> | null {
    const setting = this.numberSetting(name);
    if (setting !== null && (!Number.isSafeInteger(setting.value) || setting.value < 1))
      throw refuse(setting.at, `"${setting.at}" must be a whole number, at least 1.`);
    return setting;
  }

  array(name: string): unknown[] | null {
    const value = this.raw(name);
    if (value === undefined) return null;
    if (!Array.isArray(value)) throw refuse(this.place(name), `"${this.place(name)}" must be an array.`);
    return value;
  }

  objects(name: string): Fields[] {
    return (this.array(name) ?? []).map((value, i) =>
      Fields.of(value, `${this.place(name)}[${i}]`, this.dropped, this.takesSnakeCase),
    );
  }

  strings(name: string): string[] | null {
    const values = this.array(name);
    values?.forEach((value, i) => {
      const place = `${this.place(name)}[${i}]`;
      if (typeof value !== 'string') throw refuse(place, `"${place}" must be a string.`);
    });
    return values as string[] | null;
  }

  object(name: string): Fields | null {
    const value = this.raw(name);
    return value === undefined ? null : Fields.of(value, this.place(name), this.dropped, this.takesSnakeCase);
  }

  /** An object that is passed on as it is (a schema, arguments). */
  jsonObject(name: string): Json | null {
    const value = this.raw(name);
    if (value === undefined) return null;
    if (!isObject(value)) throw refuse(this.place(name), `"${this.place(name)}" must be an object.`);
    return value;
  }

  /** One of `values`. */
  oneOf<T extends string>(name: string, values: readonly T[]): T | null {
    const value = this.string(name);
    if (value === null) return null;
    if (!(values as readonly string[]).includes(value))
      throw refuse(this.place(name), `"${this.place(name)}" must be one of ${values.join(', ')}.`);
    return value as T;
  }

  /** Reads a field that has no counterpart and lists it, unless it says what would happen anyway. */
  drop(name: string, ...harmless: readonly unknown[]): void {
    const value = this.raw(name);
    if (value === undefined || harmless.includes(value)) return;
    if (Array.isArray(value) && value.length === 0) return;
    this.dropped.add(this.place(name));
  }

  /** Lists every field nobody read. */
  rest(): void {
    for (const name in this.json)
      if (!this.seen.has(name) && given(this.json[name])) this.dropped.add(this.place(name));
  }

  private typed<T>(name: string, type: string, what: string): T | null {
    const value = this.raw(name);
    if (value === undefined) return null;
    if (typeof value !== type) throw refuse(this.place(name), `"${this.place(name)}" must be ${what}.`);
    return value as T;
  }
}
