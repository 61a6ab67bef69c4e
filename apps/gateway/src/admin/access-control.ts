import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { roleAllows, type AdminPrincipal, type RouteAccess } from '#libs/http/index.js';
import { AdminSessions, TokenIndex } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';
import { isSameOrigin, sessionCookie } from './session-cookie.js';

/** Header that a console page sends with every change: another site's form cannot. */
export const CONSOLE_HEADER = 'x-smartflow-console';
const SAFE_METHODS = new Set(['GET', 'HEAD']);
const LOOPBACK_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;

/** Who may call an admin route (IAM-3): the one place that decides. */
export class AccessControl {
  constructor(
    private readonly tokens: TokenIndex,
    private readonly sessions: AdminSessions,
  ) {}

  /**
   * The caller of a route that demands a permission.
   * @throws AppError `not_signed_in` (401), `permission_denied` (403) or `store_unavailable` (503)
   */
  async admit(request: FastifyRequest, access: Extract<RouteAccess, { kind: 'permission' }>): Promise<AdminPrincipal> {
    const principal = await this.identify(request);
    if (principal === null) {
      if (access.loopback && isDirectLoopback(request)) return LOOPBACK;
      throw new AppError('not_signed_in');
    }
    if (!roleAllows(principal.role, access.permission)) {
      throw new AppError('permission_denied', { text: `This needs the permission "${access.permission}".` });
    }
    return principal;
  }

  /**
   * An `Authorization` header decides alone: a cookie sent beside it is not looked at, so a request never has two meanings.
   * `null`: the request carries neither.
   */
  private async identify(request: FastifyRequest): Promise<AdminPrincipal | null> {
    const { authorization } = request.headers;
    if ((request.raw.headersDistinct['authorization']?.length ?? 0) > 1) {
      throw new AppError('not_signed_in', { text: 'The request carries two Authorization headers.' });
    }
    if (authorization !== undefined) return this.byToken(authorization);
    const session = await this.session(request);
    if (session === null) return null;
    if (!SAFE_METHODS.has(request.method) && !(isSameOrigin(request) && request.headers[CONSOLE_HEADER] === '1')) {
      throw new AppError('permission_denied', {
        text: `Changes made with a session cookie need the Origin of this server and the header "${CONSOLE_HEADER}: 1".`,
      });
    }
    return session;
  }

  /** The session of a request's cookie; `null` when it has none that lives. */
  async session(request: FastifyRequest): Promise<AdminPrincipal | null> {
    const cookie = sessionCookie(request);
    if (cookie === null) return null;
    try {
      const found = await this.sessions.find(cookie);
      return found === null
        ? null
        : { kind: 'session', id: found.id, name: found.name, orgId: found.orgId, role: found.role };
    } catch (error) {
      throw new AppError('store_unavailable', { cause: error });
    }
  }

  private byToken(authorization: string): AdminPrincipal {
    const presented = /^bearer +(\S+) *$/i.exec(authorization)?.[1];
    if (presented === undefined) {
      throw new AppError('not_signed_in', { text: 'Send the API token as "Authorization: Bearer sf_admin_…".' });
    }
    const token = this.tokens.find(presented, Date.now());
    if (token !== null) return { kind: 'token', ...token };
    throw new AppError('not_signed_in', {
      text: presented.startsWith('sk-')
        ? 'This is a virtual key. The admin API takes an API token (sf_admin_…).'
        : 'The API token is not valid: unknown, revoked or expired.',
    });
  }
}

const LOOPBACK: AdminPrincipal = {
  kind: 'loopback',
  id: 'loopback',
  name: 'this machine',
  orgId: '',
  role: 'proxy_admin_viewer',
};

/** A caller on this machine that nobody forwarded and no rebound name led here. */
function isDirectLoopback(request: FastifyRequest): boolean {
  const { headers, raw } = request;
  const peer = raw.socket.remoteAddress ?? '';
  const address = peer.startsWith('::ffff:') ? peer.slice(7) : peer;
  const isLoopback = address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
  const isForwarded = ['forwarded', 'via', 'x-forwarded-for', 'x-real-ip'].some((name) => headers[name] !== undefined);
  return isLoopback && !isForwarded && LOOPBACK_HOST.test(headers.host ?? '');
}
