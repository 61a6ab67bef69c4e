import { DemoFault } from './fault.js';

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The fields of a value, none when it is no object. */
export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

/** The list at a field; empty when absent. @throws DemoFault 400 when something else stands there */
export function listAt(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name] ?? [];
  if (!Array.isArray(value))
    throw new DemoFault(400, `Invalid type for '${name}': expected an array.`, { param: name, code: 'invalid_type' });
  return value;
}

/** A list that must be there and not be empty. */
export function fullListAt(fields: Fields, name: string): readonly unknown[] {
  if (fields[name] == null)
    throw new DemoFault(400, `Missing required parameter: '${name}'.`, {
      param: name,
      code: 'missing_required_parameter',
    });
  const list = listAt(fields, name);
  if (list.length === 0)
    throw new DemoFault(400, `Invalid '${name}': empty array.`, { param: name, code: 'empty_array' });
  return list;
}

/** An object inside a list. */
export function fieldsIn(value: unknown, path: string): Fields {
  if (!isFields(value))
    throw new DemoFault(400, `Invalid type for '${path}': expected an object.`, { param: path, code: 'invalid_type' });
  return value;
}

/** A whole number within bounds, `null` when absent. */
export function integerAt(fields: Fields, name: string, least: number, most: number): number | null {
  const value = fields[name] ?? null;
  if (value === null) return null;
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    throw new DemoFault(400, `Invalid type for '${name}': expected an integer.`, { param: name, code: 'invalid_type' });
  }
  if (value < least || value > most) {
    throw new DemoFault(400, `Invalid '${name}': expected a value between ${least} and ${most}, but got ${value}.`, {
      param: name,
      code: 'integer_out_of_range',
    });
  }
  return value;
}

export function booleanAt(fields: Fields, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value !== 'boolean')
    throw new DemoFault(400, `Invalid type for '${name}': expected a boolean.`, { param: name, code: 'invalid_type' });
  return value;
}

/** A text that must be there. */
export function textAt(fields: Fields, name: string, path = name): string {
  const value = fields[name];
  if (typeof value !== 'string')
    throw new DemoFault(400, `Invalid type for '${path}': expected a string.`, { param: path, code: 'invalid_type' });
  return value;
}

/** One text or several; none when absent. */
export function textsAt(fields: Fields, name: string): readonly string[] {
  const value = fields[name] ?? [];
  const list = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(list) || !list.every((one) => typeof one === 'string')) {
    throw new DemoFault(400, `Invalid type for '${name}': expected a string or an array of strings.`, {
      param: name,
      code: 'invalid_type',
    });
  }
  return list;
}
