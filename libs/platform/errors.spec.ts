import { AppError, type ErrorCode, ERRORS } from './errors.js';

const codes = Object.keys(ERRORS) as ErrorCode[];

it.each(codes)('laws 4: %s has a fitting status, a public sentence and an anchor', (code) => {
  const error = new AppError(code);
  expect(error.status).toBe(ERRORS[code].status);
  expect(error.kind).toBe(ERRORS[code].kind);
  expect(error.message).toMatch(/^[A-Z].*\.$/);
  expect(error.docsAnchor).toBe(`docs/errors.md#${code}`);
  expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
});

it.each([
  ['caller', [400, 405, 415]],
  ['auth', [401]],
  ['forbidden', [403]],
  ['not_found', [404]],
  ['conflict', [409]],
  ['too_large', [413]],
  ['rate', [429]],
  ['upstream', [502, 504]],
  ['unavailable', [503]],
  ['internal', [500]],
])('laws 4: errors of kind %s have a status of %j', (kind, statuses) => {
  const found = codes.filter((code) => ERRORS[code].kind === kind).map((code) => ERRORS[code].status);
  expect(statuses).toEqual(expect.arrayContaining([...new Set(found)]));
});

it('laws 4: the thrower may give a better sentence, the field at fault and a cause that is not part of the text', () => {
  const error = new AppError('invalid_request', {
    text: 'Too hot.',
    param: 'temperature',
    cause: new Error('internal detail'),
  });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ code: 'invalid_request', message: 'Too hot.', param: 'temperature', faults: [] });
  expect(JSON.stringify({ text: error.message, param: error.param })).not.toContain('internal detail');
  expect((error.cause as Error).message).toBe('internal detail');
  expect(new AppError('internal')).toMatchObject({ param: null });
});
