import { readToken } from './read-token.js';

const answer = (body: unknown, status = 200) => ({
  status,
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

describe('readToken', () => {
  it.each([
    [{ access_token: 'abc', expires_in: 3600 }, 3_600_000],
    [{ access_token: 'abc', expires_in: '600' }, 600_000],
    [{ access_token: 'abc' }, 300_000],
    [{ access_token: 'abc', expires_in: -5 }, 300_000],
    [{ access_token: 'abc', expires_in: 'soon' }, 300_000],
    [{ access_token: 'abc', expires_in: 1e12 }, 86_400_000],
  ])('%j counts for %i ms', (body, lifetimeMs) => {
    expect(readToken(answer(body), 1000)).toEqual({ value: 'abc', expiresAtMs: 1000 + lifetimeMs });
  });

  it.each([
    ['{', 200, /without a usable access_token/],
    ['null', 200, /without a usable access_token/],
    [{ access_token: 7 }, 200, /without/],
    [{ access_token: 'a\r\nb' }, 200, /without/],
    [{ error: 'invalid_client', error_description: 'SECRET-1' }, 401, /answered 401 \(invalid_client\)$/],
    [{ error: 'SECRET 1 and more' }, 400, /answered 400$/],
    ['<html>SECRET-1</html>', 502, /answered 502$/],
  ])('%j with %i is refused without being quoted', (body, status, message) => {
    const failure = (() => {
      try {
        readToken(answer(body, status), 0);
      } catch (error) {
        return error as Error;
      }
      throw new Error('no failure');
    })();
    expect(failure.message).toMatch(message);
    expect(failure.message).not.toContain('SECRET');
  });
});
