import { isObject, refuse } from '../fields.js';
import type { Json } from '../request-model.js';

const MAX_DEPTH = 32;
const TYPES: ReadonlySet<string> = new Set(['STRING', 'NUMBER', 'INTEGER', 'BOOLEAN', 'ARRAY', 'OBJECT', 'NULL']);
/** Google writes int64 as text. */
const COUNTS: ReadonlySet<string> = new Set([
  'maxItems',
  'minItems',
  'maxLength',
  'minLength',
  'maxProperties',
  'minProperties',
]);

/**
 * Google's `Schema` (OpenAPI 3.0 with upper-case types) as JSON Schema. What JSON Schema calls the same is passed on.
 * @throws AppError `invalid_request` when it is no schema or too deep
 */
export function schemaOfGemini(schema: Json, at: string, depth = 0): Json {
  if (depth > MAX_DEPTH) throw refuse(at, `"${at}" is nested too deeply.`);
  const out: Json = {};
  for (const [key, value] of Object.entries(schema)) {
    switch (key) {
      case 'type':
        out.type = typeOf(value, schema.nullable === true, at);
        break;
      case 'nullable':
      case 'propertyOrdering':
        break;
      case 'properties':
        out.properties = mapObject(value, `${at}.properties`, depth);
        break;
      case 'items':
        out.items = nestedSchema(value, `${at}.items`, depth);
        break;
      case 'anyOf':
        if (!Array.isArray(value)) throw refuse(`${at}.anyOf`, `"${at}.anyOf" must be an array.`);
        out.anyOf = value.map((one, i) => nestedSchema(one, `${at}.anyOf[${i}]`, depth));
        break;
      case 'example':
        out.examples = [value];
        break;
      default:
        out[key] = COUNTS.has(key) && typeof value === 'string' ? Number(value) : value;
    }
  }
  return out;
}

function nestedSchema(value: unknown, at: string, depth: number): Json {
  if (!isObject(value)) throw refuse(at, `"${at}" must be a schema object.`);
  return schemaOfGemini(value, at, depth + 1);
}

function mapObject(value: unknown, at: string, depth: number): Json {
  if (!isObject(value)) throw refuse(at, `"${at}" must be an object.`);
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, nestedSchema(one, `${at}.${name}`, depth)]),
  );
}

function typeOf(value: unknown, isNullable: boolean, at: string): unknown {
  if (typeof value !== 'string') return value;
  const upper = value.toUpperCase();
  if (!TYPES.has(upper)) throw refuse(`${at}.type`, `"${at}.type" is no type Google knows.`);
  return isNullable ? [upper.toLowerCase(), 'null'] : upper.toLowerCase();
}
