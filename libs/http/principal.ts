import type { Role } from './permissions.js';

/** Who makes an admin request, however they signed in. Set by the access hook, so a controller behind `@Require` always has one. */
export interface AdminPrincipal {
  /** `token`: an API token; `session`: a browser cookie; `loopback`: nobody in particular on this machine (`/metrics` only). */
  readonly kind: 'token' | 'session' | 'loopback';
  /** Id of the token or session, for the audit log; never a secret. */
  readonly id: string;
  readonly name: string;
  readonly orgId: string;
  readonly role: Role;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** `null` on public and proxy routes. */
    adminPrincipal: AdminPrincipal | null;
  }
}
