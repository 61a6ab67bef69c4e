import { AppError } from '#libs/platform/errors.js';
import { lastObjectOf } from './found-object.js';
import { MARK_MEDIA } from './marks.js';
import { addField, MAX_DEPTH, parseSpan, scanObject, splice } from './scan.js';

const watched = new Set(['model', 'stream', 'stream_options']);
const scan = (text: string) => scanObject(Buffer.from(text), watched);
const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
  return 'no error';
};

describe('scanObject', () => {
  it.each([
    ['{"model":"a","stream":true}', 'a', true],
    [' \n{ "stream" : false , "model" : "a" } \r\n', 'a', false],
    ['{"messages":[{"content":"say \\"model\\": \\"b\\" }]"}],"model":"a"}', 'a', undefined],
    ['{"a":{"model":"b"},"model":"a"}', 'a', undefined],
    ['{"model":"\\u0061","x":[[],{}, 1.5e3, null]}', 'a', undefined],
    ['{"mod\\u0065l":"a"}', 'a', undefined],
    ['{"x":"ends with backslash \\\\","model":"a"}', 'a', undefined],
    [`{"x":"${'long '.repeat(50)}\\\\\\" quote","model":"a"}`, 'a', undefined],
    ['{"model":"日本語 🙂"}', '日本語 🙂', undefined],
  ])('finds the top-level fields of %s as JSON.parse does', (text, model, stream) => {
    const body = Buffer.from(text);
    const { fields } = scanObject(body, watched);
    const parsed = JSON.parse(text) as Record<string, unknown>;
    expect(parseSpan(body, fields.get('model')!)).toBe(model);
    expect(parsed.model).toBe(model);
    const span = fields.get('stream');
    expect(span === undefined ? undefined : parseSpan(body, span)).toBe(stream);
  });

  it.each([
    '',
    ' ',
    'null',
    '[]',
    '"x"',
    '{',
    '{"model"',
    '{"model":',
    '{"model":}',
    '{"a":1,}',
    '{"a":1 "b":2}',
    '{"a":[}',
    '{"a":{]}',
    '{"a":"x}',
    '{"a":1}x',
    '{"a":1}{}',
    '{a:1}',
    '{"a":tru}',
    '{"a":01}',
    '{,}',
    '\ufeff{}',
    '{"a":"\\"}',
  ])('refuses malformed JSON: %j', (text) => {
    expect(codeOf(() => scan(text))).toBe('invalid_json');
  });

  it('refuses a watched field that stands there twice, whatever its spelling: readers disagree about which one counts', () => {
    expect(codeOf(() => scan('{"model":"a","model":"b"}'))).toBe('invalid_request');
    expect(codeOf(() => scan('{"model":"a","\\u006dodel":"b"}'))).toBe('invalid_request');
    expect(codeOf(() => scan('{"model":"a","Model":"b"}'))).toBe('invalid_request');
    expect(codeOf(() => scan('{"other":1,"other":2}'))).toBe('no error');
  });

  it('refuses nesting beyond the bound and takes what is just within it', () => {
    const nested = (levels: number) => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    expect(codeOf(() => scan(nested(MAX_DEPTH)))).toBe('no error');
    expect(codeOf(() => scan(nested(MAX_DEPTH + 1)))).toBe('json_too_deep');
    expect(codeOf(() => scan(`{"a":${'['.repeat(1_000_000)}`))).toBe('json_too_deep');
  });
});

describe('marks', () => {
  it.each(['messages', 'input', 'system', 'contents', 'systemInstruction', 'm\\u0065ssages'])(
    'KEY-4: words for media count below %s, watched or not',
    (name) => {
      expect(scan(`{"model":"a","${name}":[{"type":"image_url"}]}`).marks & MARK_MEDIA).toBe(MARK_MEDIA);
    },
  );

  it('KEY-4: the same words are only names in a tool', () => {
    expect(scan('{"model":"a","tools":[{"properties":{"image_url":{}}}]}').marks & MARK_MEDIA).toBe(0);
  });
});

describe('splice and addField', () => {
  it('changes only the named bytes', () => {
    const body = Buffer.from('{ "model" : "fast", "é": "ü" }');
    const scanned = scanObject(body, watched);
    const model = scanned.fields.get('model')!;
    const edited = splice(body, [
      addField(scanned, 'stream', 'true'),
      { start: model.start, end: model.end, text: '"gpt"' },
    ]);
    expect(edited.toString()).toBe('{ "model" : "gpt", "é": "ü" ,"stream":true}');
    expect(splice(body, [])).toBe(body);
  });

  it('adds a field to an empty object without a comma', () => {
    const body = Buffer.from('{ }');
    expect(splice(body, [addField(scanObject(body, watched), 'a', '1')]).toString()).toBe('{ "a":1}');
  });
});

describe('lastObjectOf', () => {
  it.each([
    ['…"usage":{"a":1},"x":2', { a: 1 }],
    ['"usage": {"a":1} … "usage":null', { a: 1 }],
    ['"usage":{"a":1},"usage":{"a":2,"b":{"c":"}"}}', { a: 2, b: { c: '}' } }],
    ['"usage":{"a":1},"usage":{"a":2', { a: 1 }],
    ['"text":"fake \\"usage\\":{\\"a\\":9}"', null],
    ['nothing', null],
  ])('in %s', (text, expected) => {
    expect(lastObjectOf(Buffer.from(text), 'usage')?.value ?? null).toEqual(expected);
  });
});
