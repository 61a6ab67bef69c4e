import type { FastifyRequest } from 'fastify';

/** Over TLS the name's prefix makes browsers insist on Secure, Path=/ and no Domain; without TLS it would not be accepted. */
function nameFor(request: FastifyRequest): string {
  return request.protocol === 'https' ? '__Host-smartflow_session' : 'smartflow_session';
}

/** What the session cookie of a request holds; `null` when there is none, or more than one. */
export function sessionCookie(request: FastifyRequest): string | null {
  const header = request.headers.cookie;
  if (header === undefined) return null;
  const start = `${nameFor(request)}=`;
  const found = header
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part.startsWith(start));
  return found.length === 1 ? (found[0] as string).slice(start.length) : null;
}

/** `Set-Cookie` that begins a session, or ends it with `null`. Its lifetime is kept by the server. */
export function setSessionCookie(request: FastifyRequest, value: string | null): string {
  const secure = request.protocol === 'https' ? '; Secure' : '';
  const end = value === null ? '; Max-Age=0' : '';
  return `${nameFor(request)}=${value ?? ''}; Path=/; HttpOnly; SameSite=Lax${secure}${end}`;
}

/** Whether a request comes from a page of this very server: its `Origin` names the host it was sent to. */
export function isSameOrigin(request: FastifyRequest): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined || host === undefined || !URL.canParse(origin)) return false;
  const page = new URL(origin);
  // TLS may end at a proxy in front of us; the other way round (a plain page calling a TLS server) is another origin.
  const sameScheme =
    page.protocol === `${request.protocol}:` || (request.protocol === 'http' && page.protocol === 'https:');
  return sameScheme && page.host === host.toLowerCase() && page.origin === origin;
}
