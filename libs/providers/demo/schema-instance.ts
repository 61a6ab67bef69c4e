/** Deeper parts of a schema are answered with `null`: a schema may contain itself. */
const MAX_DEPTH = 16;
/** Values, characters and names in all, so that a small schema cannot ask for a huge instance. */
const MAX_VALUES = 500;
const MAX_TEXT_CHARS = 1000;
const MAX_CHARS = 200_000;
const MAX_REQUIRED = 200;
const MAX_PARTS = 32;
const MAX_REFERENCE_CHARS = 256;

type Schema = Readonly<Record<string, unknown>>;

const TEXT_OF_FORMAT: Readonly<Record<string, string>> = {
  'date-time': '2026-01-01T00:00:00Z',
  date: '2026-01-01',
  time: '00:00:00Z',
  duration: 'P1D',
  email: 'demo@example.com',
  hostname: 'example.com',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  uri: 'https://example.com/',
  url: 'https://example.com/',
  uuid: '00000000-0000-4000-8000-000000000000',
};

/**
 * A minimal valid instance of a JSON schema: required properties only, shortest lists, smallest numbers. Understands the
 * subset that providers accept (also Gemini's upper-case types); patterns and conditions are not followed.
 * Bounded in depth and size, whatever the schema says.
 */
export function instanceOf(schema: unknown): unknown {
  return new Maker(schema).make(schema, 0);
}

class Maker {
  readonly #root: unknown;
  #values = 0;
  #charsLeft = MAX_CHARS;
  constructor(root: unknown) {
    this.#root = root;
  }

  make(schema: unknown, depth: number): unknown {
    if (!isSchema(schema) || depth > MAX_DEPTH || ++this.#values > MAX_VALUES) return null;
    if ('const' in schema) return this.#given(schema['const']);
    if (Array.isArray(schema['enum']) && schema['enum'].length > 0) return this.#given(schema['enum'][0]);
    if (typeof schema['$ref'] === 'string') return this.make(this.#target(schema['$ref']), depth + 1);
    for (const key of ['anyOf', 'oneOf']) {
      const branches = schema[key];
      if (Array.isArray(branches) && branches.length > 0) return this.make(branches[0], depth + 1);
    }
    const { allOf } = schema as { allOf?: unknown };
    if (Array.isArray(allOf)) return this.#merged(schema, allOf, depth);
    return this.#ofType(schema, depth);
  }

  /** A value that the schema spells out. */
  #given(value: unknown): unknown {
    if (this.#charsLeft < 0) return null;
    this.#charsLeft -= JSON.stringify(value).length;
    return this.#charsLeft < 0 ? null : value;
  }

  /** `allOf`: the properties and required names of all parts. */
  #merged(schema: Schema, parts: readonly unknown[], depth: number): unknown {
    const all = [schema, ...parts.slice(0, MAX_PARTS)]
      .map((part) => (isSchema(part) && typeof part['$ref'] === 'string' ? this.#target(part['$ref']) : part))
      .filter(isSchema);
    const { allOf: _allOf, ...own } = schema;
    const properties = Object.assign({}, ...all.map((part) => part['properties'])) as object;
    const required = all.flatMap((part) => (Array.isArray(part['required']) ? (part['required'] as unknown[]) : []));
    return this.make(
      { ...Object.assign({}, ...all.slice(1)), ...own, allOf: undefined, properties, required },
      depth + 1,
    );
  }

  #ofType(schema: Schema, depth: number): unknown {
    const declared: unknown = Array.isArray(schema['type']) ? schema['type'][0] : schema['type'];
    const type =
      typeof declared === 'string' ? declared.toLowerCase() : isSchema(schema['properties']) ? 'object' : 'string';
    switch (type) {
      case 'object':
        return this.#object(schema, depth);
      case 'array': {
        const length = Math.min(numberAt(schema, 'minItems') ?? 0, MAX_VALUES);
        return Array.from({ length }, () => this.make(schema['items'] ?? {}, depth + 1));
      }
      case 'integer':
      case 'number':
        return smallestNumber(schema, type === 'integer');
      case 'boolean':
        return false;
      case 'null':
        return null;
      default:
        return text(schema);
    }
  }

  #object(schema: Schema, depth: number): unknown {
    const properties = isSchema(schema['properties']) ? schema['properties'] : {};
    const required = Array.isArray(schema['required']) ? schema['required'] : [];
    const names = required.slice(0, MAX_REQUIRED).filter((name): name is string => typeof name === 'string');
    const entries = names
      .filter((name) => (this.#charsLeft -= name.length) >= 0)
      .map((name) => [name, this.make(Object.hasOwn(properties, name) ? properties[name] : {}, depth + 1)] as const);
    return Object.fromEntries(entries);
  }

  /** What a local reference such as `#/$defs/address` points to. */
  #target(reference: string): unknown {
    if (!reference.startsWith('#') || reference.length > MAX_REFERENCE_CHARS) return null;
    const steps = reference.slice(1).split('/').filter(Boolean);
    return steps.reduce<unknown>((at, step) => {
      const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
      return isSchema(at) && Object.hasOwn(at, name) ? at[name] : null;
    }, this.#root);
  }
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function numberAt(schema: Schema, name: string): number | null {
  const value = Number(schema[name] ?? Number.NaN); // Gemini writes some numbers as text
  return Number.isFinite(value) ? value : null;
}

function smallestNumber(schema: Schema, isInteger: boolean): number {
  const above = numberAt(schema, 'exclusiveMinimum');
  const below = numberAt(schema, 'exclusiveMaximum');
  const least = numberAt(schema, 'minimum') ?? above;
  const most = numberAt(schema, 'maximum') ?? below;
  const step = numberAt(schema, 'multipleOf') ?? (isInteger ? 1 : 0);
  const start = least ?? Math.min(0, most ?? 0);
  if (step > 0) {
    const value = (least === null ? Math.floor(start / step) : Math.ceil(start / step)) * step + 0;
    if (value === above) return value + step;
    return value === below ? value - step : value;
  }
  if (start === above) return most === null ? above + 1 : (above + most) / 2;
  return start === below ? below - 1 : start;
}

function text(schema: Schema): string {
  const format = schema['format'];
  if (typeof format === 'string' && Object.hasOwn(TEXT_OF_FORMAT, format)) return TEXT_OF_FORMAT[format] ?? '';
  const least = Math.min(numberAt(schema, 'minLength') ?? 0, MAX_TEXT_CHARS);
  const most = numberAt(schema, 'maxLength') ?? MAX_TEXT_CHARS;
  return 'demo'.padEnd(least, '.').slice(0, Math.max(0, most));
}
