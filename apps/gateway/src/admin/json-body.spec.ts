import { parseJsonObject } from './json-body.js';

const parse = (text: string): unknown => parseJsonObject(Buffer.from(text));
const codeOf = (text: string): unknown => {
  try {
    parse(text);
    return null;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('parseJsonObject', () => {
  it('gives the object', () => expect(parse(' {"a":[1,{"b":"\\u00e9[{"}]} ')).toEqual({ a: [1, { b: 'é[{' }] }));

  it('counts depth outside strings only: 64 levels pass, 65 do not', () => {
    const nested = (levels: number): string => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    expect(codeOf(nested(64))).toBeNull();
    expect(codeOf(nested(65))).toBe('json_too_deep');
    expect(codeOf(`{"a":"${'['.repeat(500)}"}`)).toBeNull();
    expect(codeOf(`{"a":"\\"${'['.repeat(500)}"}`)).toBeNull();
    expect(codeOf(`{"a":${'['.repeat(200_000)}`)).toBe('json_too_deep');
  });

  it.each(['{', '{"a":}', "{'a':1}", '{"a":1}x', '{"a":NaN}', '\ufeff{"a":1', 'undefined', '{"a":"\n"}'])(
    '%j is invalid_json, and its text is not repeated',
    (text) => {
      expect(codeOf(text)).toBe('invalid_json');
    },
  );

  it.each(['[]', '1', 'null', '"x"', 'true'])('%j is no object', (text) =>
    expect(codeOf(text)).toBe('invalid_request'),
  );

  it.each([
    '{"__proto__":1}',
    '{"\\u005f_proto__":1}',
    '{"a":[{"constructor":{"prototype":{}}}]}',
    '{"prototype":1}',
    '{"a":{"toString":1}}',
  ])('%s is refused with the path of the name', (text) => expect(codeOf(text)).toBe('invalid_request'));
});
