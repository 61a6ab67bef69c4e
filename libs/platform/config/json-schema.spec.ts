import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { renderJsonSchema } from './json-schema.js';
import { loadConfig } from './load.js';

const root = join(import.meta.dirname, '../../..');
type Json = Record<string, unknown>;

it('CFG-1: docs/smartflow.schema.json is what `npm run generate` makes of the schema', () => {
  const committed: unknown = JSON.parse(readFileSync(join(root, 'docs/smartflow.schema.json'), 'utf8'));
  expect(committed).toEqual(JSON.parse(renderJsonSchema()));
});

it('CFG-1: every section is described, unknown names are refused, and a ${VAR} may stand for a number', () => {
  const schema = JSON.parse(renderJsonSchema()) as { properties: Record<string, Json>; additionalProperties: unknown };
  expect(schema.additionalProperties).toBe(false);
  expect(Object.keys(schema.properties)).toEqual(
    expect.arrayContaining(['listen', 'stores', 'providers', 'models', 'keys', 'prices', 'servers', 'api_keys']),
  );
  const limits = schema.properties['limits'] as { properties: Record<string, Json> };
  expect(limits.properties['drain_ms']).toEqual({
    description: 'how long streams may run on after SIGTERM, default 120000',
    anyOf: [
      { type: 'integer', minimum: 0, maximum: 3_600_000 },
      { type: 'string', pattern: '\\$\\{' },
    ],
  });
});

describe('smartflow.example.yaml', () => {
  const file = join(root, 'smartflow.example.yaml');

  it('CFG-1: is valid without any variable set', () => {
    const result = loadConfig({ file, env: {}, cwd: root });
    expect(result).toMatchObject({ ok: true });
    expect(result.ok && result.config.live.providers.map((provider) => provider.name)).toEqual([
      'demo',
      'openai',
      'anthropic',
      'google',
      'local',
    ]);
  });

  it('CFG-1: shows every section there is', () => {
    const schema = JSON.parse(renderJsonSchema()) as { properties: Json };
    const example = parse(readFileSync(file, 'utf8')) as Json;
    expect(Object.keys(example).sort()).toEqual(Object.keys(schema.properties).sort());
  });
});
