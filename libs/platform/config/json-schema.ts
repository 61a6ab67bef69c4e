import { z } from 'zod';
import { configSchema } from './schema.js';

type Json = Record<string, unknown>;

/** Text with a `${…}` in it, which may stand wherever a value of another form is wanted. */
const PLACEHOLDER = { type: 'string', pattern: '\\$\\{' };

/**
 * The JSON schema of `smartflow.yaml` as text, for editors (`docs/smartflow.schema.json`). Where the schema wants a number,
 * a boolean, one of several words or a certain form of text, a `${VAR}` is allowed too.
 */
export function renderJsonSchema(): string {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    override: ({ jsonSchema, path }) => {
      // Names are not filled in, only values are.
      if (path.at(-1) !== 'propertyNames') allowPlaceholder(jsonSchema as Json);
    },
  });
  return `${JSON.stringify({ ...schema, title: 'smartflow.yaml' }, null, 2)}\n`;
}

function allowPlaceholder(schema: Json): void {
  dropSafeIntegerEdges(schema);
  const isPlainText = schema['type'] === 'string' && !['pattern', 'format', 'enum'].some((key) => key in schema);
  const isScalar = ['string', 'number', 'integer', 'boolean'].includes(String(schema['type'])) || 'enum' in schema;
  if (!isScalar || isPlainText) return;
  const { description, ...own } = schema;
  for (const key of Object.keys(schema)) delete schema[key];
  Object.assign(schema, { ...(description === undefined ? {} : { description }), anyOf: [own, PLACEHOLDER] });
}

/** zod states the range of JavaScript's exact integers at each whole number; it only clutters the editor's hints. */
function dropSafeIntegerEdges(schema: Json): void {
  if (schema['maximum'] === Number.MAX_SAFE_INTEGER) delete schema['maximum'];
  if (schema['minimum'] === Number.MIN_SAFE_INTEGER) delete schema['minimum'];
}
