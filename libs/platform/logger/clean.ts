import { Secret } from '../secret.js';
import { MASK } from './scrub.js';

const MAX_DEPTH = 6;
const MAX_VALUES = 300;
const MAX_ITEMS = 50;
const MAX_TEXT = 4096;
const MAX_STACK = 8192;

/** Headers whose values may be read in a log; of all others only the name is. */
const READABLE_HEADERS = new Set([
  'accept',
  'anthropic-version',
  'content-encoding',
  'content-length',
  'content-type',
  'date',
  'retry-after',
  'traceparent',
  'transfer-encoding',
  'user-agent',
  'x-request-id',
  'request-id',
]);

/** Ends of field names (letters only, lower case) whose text is a credential whatever it looks like. */
const SECRET_NAME =
  /(authorization|cookie|password|passwd|passphrase|secret|apikey|masterkey|privatekey|pepper|token|credential|credentials)$/;

/** Names each line has anyway; a field of that name gets an underscore, so that no line has a name twice. */
const OWN_NAMES = new Set(['level', 'time', 'pid', 'name', 'msg']);

/**
 * Log fields in a form that can be written: a bounded copy (6 levels, 300 values, texts of 4 KiB) in which fields that
 * hold credentials by their name, headers outside a short list, bytes and foreign objects are replaced by a mark, and
 * errors are reduced to type, message, code, stack and cause. Never throws.
 */
export function cleanFields(fields: object): Record<string, unknown> {
  const cleaner = new Cleaner();
  const clean = cleaner.clean(fields, 0);
  if (fields instanceof Error) return { err: clean };
  if (typeof clean !== 'object' || clean === null || Array.isArray(clean)) return { value: clean };
  const entries = Object.entries(clean);
  if (!entries.some(([name]) => OWN_NAMES.has(name))) return clean as Record<string, unknown>;
  return Object.fromEntries(entries.map(([name, value]) => [OWN_NAMES.has(name) ? `${name}_` : name, value]));
}

class Cleaner {
  readonly #above = new Set<object>();
  #values = 0;

  clean(value: unknown, depth: number): unknown {
    if (++this.#values > MAX_VALUES) return '[more]';
    switch (typeof value) {
      case 'string':
        return cut(value, MAX_TEXT);
      case 'bigint':
        return value.toString();
      case 'object':
        return value === null ? null : this.#object(value, depth);
      case 'function':
      case 'symbol':
        return undefined;
      default:
        return value;
    }
  }

  #object(value: object, depth: number): unknown {
    if (value instanceof Secret) return MASK;
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
    if (value instanceof URL) return cut(value.href, MAX_TEXT);
    if (this.#above.has(value)) return '[circular]';
    if (depth >= MAX_DEPTH) return '[deeper]';
    this.#above.add(value);
    try {
      return this.#inside(value, depth);
    } catch {
      return '[unreadable]';
    } finally {
      this.#above.delete(value);
    }
  }

  #inside(value: object, depth: number): unknown {
    if (value instanceof Error) return this.#error(value, depth);
    if (Array.isArray(value)) {
      const items = value.slice(0, MAX_ITEMS).map((item) => this.clean(item, depth + 1));
      if (value.length > MAX_ITEMS) items.push(`[${value.length - MAX_ITEMS} more]`);
      return items;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== null && prototype !== Object.prototype) return this.#instance(value, depth);
    const result: Record<string, unknown> = {};
    for (const [name, inner] of Object.entries(value)) {
      if (this.#values > MAX_VALUES) break;
      result[name] = this.#field(name, inner, depth);
    }
    return result;
  }

  /** Foreign objects may be a socket with half the process behind it: only what they say of themselves is written. */
  #instance(value: object, depth: number): unknown {
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === 'function') {
      const json: unknown = toJSON.call(value);
      return json === value ? '[unreadable]' : this.clean(json, depth + 1);
    }
    return `[${(value.constructor as { name?: string } | undefined)?.name ?? 'object'}]`;
  }

  #field(name: string, value: unknown, depth: number): unknown {
    if (typeof value !== 'string' && typeof value !== 'object') return this.clean(value, depth + 1);
    const kind = kindOf(name);
    if (kind === 'headers') return headersOf(value);
    if (kind === 'secret' && value !== '' && value !== null) return MASK;
    return this.clean(value, depth + 1);
  }

  /** Only the fields named here: errors of HTTP clients carry requests, headers and bodies along. */
  #error(error: Error, depth: number): unknown {
    const { code, status, cause, errors } = error as {
      code?: unknown;
      status?: unknown;
      cause?: unknown;
      errors?: unknown;
    };
    return {
      type: error.name,
      message: cut(String(error.message), MAX_TEXT),
      ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
      ...(typeof status === 'number' ? { status } : {}),
      ...(typeof error.stack === 'string' ? { stack: cut(error.stack, MAX_STACK) } : {}),
      ...(cause instanceof Error ? { cause: this.clean(cause, depth + 1) } : {}),
      ...(Array.isArray(errors)
        ? {
            errors: this.clean(
              errors.filter((one) => one instanceof Error),
              depth + 1,
            ),
          }
        : {}),
    };
  }
}

type NameKind = 'headers' | 'secret' | 'plain';

/** Field names are few and come again with every line; the bound is for those that come from data. */
const kinds = new Map<string, NameKind>();
const MAX_KINDS = 1000;

function kindOf(name: string): NameKind {
  const known = kinds.get(name);
  if (known !== undefined) return known;
  const bare = name.toLowerCase().replace(/[^a-z]/g, '');
  const kind = bare.endsWith('headers') ? 'headers' : SECRET_NAME.test(bare) ? 'secret' : 'plain';
  if (kinds.size < MAX_KINDS && name.length < 128) kinds.set(name, kind);
  return kind;
}

function headersOf(value: unknown): unknown {
  if (value === null) return null;
  if (typeof value !== 'object') return MASK;
  if (Array.isArray(value)) return `[${value.length} header lines]`;
  const entries: [string, unknown][] =
    Symbol.iterator in value ? [...(value as Iterable<[string, unknown]>)] : Object.entries(value);
  const readable = entries
    .slice(0, MAX_ITEMS)
    .map(([name, text]) => [
      String(name),
      READABLE_HEADERS.has(String(name).toLowerCase()) ? cut(String(text), 256) : MASK,
    ]);
  return Object.fromEntries(readable) as unknown;
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}… [${text.length - length} more]`;
}
