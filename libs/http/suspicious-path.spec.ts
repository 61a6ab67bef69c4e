import { isSuspiciousPath } from './suspicious-path.js';

describe('isSuspiciousPath', () => {
  it.each([
    '/',
    '/api/keys',
    '/api/keys/',
    '/anthropic/v1/messages?beta=true',
    '/v1beta/models/gemini-2.5-pro:generateContent',
    '/v1/models/a%3Ab',
    '/api/keys?next=%2Fx//..%5c',
    '/.well-known/agent.json',
    '/a..b/c.',
    '/...',
    '/v1/models/caf%C3%A9',
  ])('lets %s pass', (url) => expect(isSuspiciousPath(url)).toBe(false));

  it.each([
    '',
    '*',
    'http://evil/api/keys',
    '//evil/api',
    '/api//keys',
    '/api/keys//',
    '/api/./keys',
    '/api/../keys',
    '/api/..',
    '/.',
    '/%2e%2e/api',
    '/api/%2E./x',
    '/api%2fkeys',
    '/api%2Fkeys',
    '/api\\keys',
    '/api%5ckeys',
    '/api%5Ckeys',
    '/api/%00',
    '/api/%0d%0aX',
    '/api/%252f',
    '/api/%zz',
    '/api/%2',
    '/api/%',
    '/api/key s',
    '/api/\tkeys',
    '/api/keys#x',
    '/api/%7f',
    '/api/%2?x',
    '/api/% 1',
  ])('IAM-3: refuses %j, which router and rule may read differently', (url) =>
    expect(isSuspiciousPath(url)).toBe(true),
  );
});
