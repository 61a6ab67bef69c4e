import type { FastifyRequest } from 'fastify';
import { isSameOrigin, sessionCookie, setSessionCookie } from './session-cookie.js';

const request = (protocol: string, headers: Record<string, string>): FastifyRequest =>
  ({ protocol, headers }) as unknown as FastifyRequest;

describe('session cookie', () => {
  it('IAM-4: over TLS it is Secure, and its name keeps other hosts and paths from setting it', () => {
    const tls = request('https', { cookie: 'smartflow_session=planted; __Host-smartflow_session=real' });
    expect(setSessionCookie(tls, 'v')).toBe('__Host-smartflow_session=v; Path=/; HttpOnly; SameSite=Lax; Secure');
    expect(sessionCookie(tls)).toBe('real');
    expect(sessionCookie(request('https', { cookie: 'smartflow_session=planted' }))).toBeNull();
  });

  it.each([
    ['a=1; smartflow_session=x; b=2', 'x'],
    ['smartflow_session=x;smartflow_session=y', null],
    ['xsmartflow_session=x', null],
    ['smartflow_session', null],
    ['', null],
  ])('%j holds %j', (cookie, expected) => expect(sessionCookie(request('http', { cookie }))).toBe(expected));

  it.each([
    ['http', 'http://h:1', 'h:1', true],
    ['http', 'http://H:1', 'h:1', false], // browsers send it in lower case
    ['http', 'http://h:1', 'H:1', true],
    ['http', 'https://h', 'h', true], // TLS ends in front of us
    ['https', 'http://h', 'h', false],
    ['https', 'https://h', 'h', true],
    ['http', 'http://h:2', 'h:1', false],
    ['http', 'http://h.evil', 'h', false],
    ['http', 'null', 'h', false],
    ['http', 'h', 'h', false],
    ['http', 'http://[::1]:8080', '[::1]:8080', true],
  ])('IAM-4: seen over %s, the origin %s and the host %s: %s', (protocol, origin, host, expected) => {
    expect(isSameOrigin(request(protocol, { origin, host }))).toBe(expected);
  });

  it('no origin is no page of ours', () => expect(isSameOrigin(request('http', { host: 'h' }))).toBe(false));
});
