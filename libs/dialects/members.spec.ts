import { memberStart, removeMembers } from './members.js';
import { elementsOf, scanObject, splice } from './scan.js';

const WATCHED = new Set(['a', 'b', 'c', 'd']);

function without(json: string, ...names: string[]): string {
  const body = Buffer.from(json);
  const { fields } = scanObject(body, WATCHED);
  const spans = names.map((name) => fields.get(name)).filter((span) => span !== undefined);
  return splice(body, removeMembers(body, spans)).toString();
}

describe('removeMembers', () => {
  it.each([
    ['{"a":1,"b":2,"c":3}', ['a'], '{"b":2,"c":3}'],
    ['{"a":1,"b":2,"c":3}', ['b'], '{"a":1,"c":3}'],
    ['{"a":1,"b":2,"c":3}', ['c'], '{"a":1,"b":2}'],
    ['{"a":1,"b":2,"c":3}', ['b', 'c'], '{"a":1}'],
    ['{"a":1,"b":2,"c":3}', ['c', 'a'], '{"b":2}'],
    ['{"a":1,"b":2,"c":3}', ['a', 'b', 'c'], '{}'],
    ['{ "a" : 1 ,\n "b" : {"a":[1]} , "x":0 , "c" : 3 }', ['b', 'c'], '{ "a" : 1 ,\n "x":0 }'],
    ['{"\\u0061":1,"b":2}', ['a'], '{"b":2}'],
    ['{"x":"a\\"","b":","}', ['b'], '{"x":"a\\""}'],
  ])('%s without %j is %s', (json, names, expected) => {
    expect(without(json, ...names)).toBe(expected);
  });

  it('what is left is the same object without the members, whichever are removed', () => {
    const names = ['a', 'b', 'c', 'd'];
    for (let mask = 0; mask < 16; mask++) {
      const removed = names.filter((_, bit) => (mask >> bit) & 1);
      for (const json of [
        '{"a":1,"b":[2,{"c":3}],"x":null,"c":"d","d":{}}',
        '{"d":0 , "x" : 1 ,"c":2,\t"b":3,"a":4}',
      ]) {
        const left = JSON.parse(without(json, ...removed)) as object;
        const expected = Object.entries(JSON.parse(json) as object).filter(([name]) => !removed.includes(name));
        expect(left).toEqual(Object.fromEntries(expected));
      }
    }
  });

  it('memberStart is where the name opens, also behind blanks', () => {
    const body = Buffer.from('{"x":1, "a" \n: "v"}');
    expect(memberStart(body, scanObject(body, WATCHED).fields.get('a')!.start)).toBe(8);
  });
});

describe('elementsOf', () => {
  const elements = (json: string): string[] | null => {
    const body = Buffer.from(json);
    return elementsOf(body, { start: 0, end: body.length })?.map(({ start, end }) => json.slice(start, end)) ?? null;
  };
  it.each([
    ['[]', []],
    ['[ {"a":[1]} ,\n[{}] ]', ['{"a":[1]}', '[{}]']],
    ['[1]', null],
    ['[{},"x"]', null],
    ['{}', null],
    ['null', null],
  ])('%s has %j', (json, expected) => {
    expect(elements(json)).toEqual(expected);
  });
  it.each(['[{}', '[{} {}]', '[{},', '[{]'])('%s is malformed', (json) => {
    expect(() => elements(json)).toThrow();
  });
});
