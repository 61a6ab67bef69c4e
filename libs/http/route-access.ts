import type { Permission } from './permissions.js';

/** What a route demands of its caller; the value of `config.access` of a Fastify route. A route without one stops the start. */
export type RouteAccess =
  /** A signed-in admin (API token or session) whose role has the permission. */
  | {
      readonly kind: 'permission';
      readonly permission: Permission;
      /** Also open to a direct caller on this machine: loopback peer, loopback Host, no forwarding header (`/metrics`). */
      readonly loopback: boolean;
    }
  /** Anybody; the reason is kept so that a reviewer can judge it. */
  | { readonly kind: 'public'; readonly reason: string }
  /** The proxy's data plane: the pipeline itself demands a virtual key. No admin hook, pipe or filter touches such a route. */
  | { readonly kind: 'virtual-key' };

/** Route config of a proxy route: `@RouteConfig({ ...virtualKeyRoute, … })` of `@nestjs/platform-fastify`. */
export const virtualKeyRoute: { readonly access: RouteAccess } = { access: { kind: 'virtual-key' } };

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: RouteAccess;
  }
}
