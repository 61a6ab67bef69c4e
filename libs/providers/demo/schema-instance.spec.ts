import { instanceOf } from './schema-instance.js';

describe('instanceOf', () => {
  it.each<[string, unknown, unknown]>([
    [
      'required properties only',
      { type: 'object', properties: { a: { type: 'string' }, b: { type: 'string' } }, required: ['b'] },
      { b: 'demo' },
    ],
    [
      'a type missing where properties tell it',
      { properties: { a: { type: 'boolean' } }, required: ['a'] },
      { a: false },
    ],
    [
      'upper-case types of Gemini',
      {
        type: 'OBJECT',
        properties: { a: { type: 'ARRAY', items: { type: 'NUMBER' }, minItems: '1' } },
        required: ['a'],
      },
      { a: [0] },
    ],
    ['the first of several types', { type: ['integer', 'null'] }, 0],
    ['const', { const: { x: [1] } }, { x: [1] }],
    ['enum', { enum: ['b', 'a'] }, 'b'],
    ['an enum with null first', { type: ['string', 'null'], enum: [null, 'a'] }, null],
    ['anyOf', { anyOf: [{ type: 'null' }, { type: 'string' }] }, null],
    ['oneOf', { oneOf: [{ type: 'integer', minimum: 4 }] }, 4],
    [
      'allOf',
      {
        allOf: [{ $ref: '#/$defs/a' }, { type: 'object', properties: { y: { type: 'integer' } }, required: ['y'] }],
        $defs: { a: { type: 'object', properties: { x: { type: 'boolean' } }, required: ['x'] } },
      },
      { x: false, y: 0 },
    ],
    ['references with escapes', { $ref: '#/$defs/a~1b~0', $defs: { 'a/b~': { const: 1 } } }, 1],
    ['a reference to nowhere', { $ref: '#/nope' }, null],
    ['a foreign reference', { $ref: 'https://example.com/schema' }, null],
    ['a minimum', { type: 'integer', minimum: 1.2 }, 2],
    ['an exclusive minimum', { type: 'integer', exclusiveMinimum: 3 }, 4],
    ['between exclusive bounds', { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 }, 0.5],
    ['a negative maximum', { type: 'integer', maximum: -2.5 }, -3],
    ['an exclusive maximum of zero', { type: 'integer', exclusiveMaximum: 0 }, -1],
    ['multiples', { type: 'integer', minimum: 1, multipleOf: 5 }, 5],
    ['a length', { type: 'string', minLength: 6 }, 'demo..'],
    ['a short length', { type: 'string', maxLength: 2 }, 'de'],
    ['a format', { type: 'string', format: 'uuid' }, '00000000-0000-4000-8000-000000000000'],
    ['a required property that is not declared', { type: 'object', required: ['a'] }, { a: 'demo' }],
    ['no schema', undefined, null],
    ['nonsense', 7, null],
    ['an object name as type', { type: 'constructor' }, 'demo'],
  ])('CFG-4: %s', (_name, schema, expected) => {
    expect(instanceOf(schema)).toEqual(expected);
  });

  it('CFG-4: schemas that contain themselves end', () => {
    const node = { type: 'object', properties: { next: { $ref: '#' } }, required: ['next'] };
    expect(JSON.stringify(instanceOf(node))).toMatch(/^(\{"next":)+null\}+$/);
    expect(instanceOf({ $ref: '#' })).toBeNull();
    expect(instanceOf({ allOf: [{ $ref: '#' }] })).toEqual({});
  });
  it.each<[string, unknown]>([
    [
      'huge lists',
      {
        type: 'array',
        minItems: 1e9,
        items: { type: 'array', minItems: 1e9, items: { type: 'string', minLength: 1e9 } },
      },
    ],
    ['big constants many times', { type: 'array', minItems: 500, items: { const: 'x'.repeat(100_000) } }],
    [
      'long names many times',
      { type: 'array', minItems: 500, items: { type: 'object', required: ['x'.repeat(100_000)] } },
    ],
    [
      'wide and deep',
      {
        $defs: {
          a: {
            type: 'object',
            required: Array.from({ length: 500 }, (_, i) => `p${i}`),
            properties: Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`p${i}`, { $ref: '#/$defs/a' }])),
          },
        },
        $ref: '#/$defs/a',
      },
    ],
  ])('CFG-4: %s stay small', (_name, schema) => {
    const start = performance.now();
    expect(JSON.stringify(instanceOf(schema)).length).toBeLessThan(1_000_000);
    expect(performance.now() - start).toBeLessThan(1000);
  });
});
