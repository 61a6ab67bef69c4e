import type { RouteOptions } from 'fastify';
import type { RouteAccess } from '#libs/http/index.js';

/** One route of the server, HEAD twins included. */
export interface RouteEntry {
  readonly method: string;
  /** Pattern such as `/api/keys/:id`. */
  readonly url: string;
  /** `null`: the route declares nothing, and the server must not start. */
  readonly access: RouteAccess | null;
}

/** Every route Fastify has, as it learns of them (`onRoute`), whoever registered them. */
export class RouteTable {
  private readonly entries: RouteEntry[] = [];
  private readonly patterns = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>();

  add(route: RouteOptions): void {
    const methods = Array.isArray(route.method) ? route.method : [route.method];
    for (const method of methods) {
      this.entries.push({ method, url: route.url, access: route.config?.access ?? null });
      const known = this.patterns.get(route.url) ?? { pattern: toPattern(route.url), methods: new Set<string>() };
      known.methods.add(method);
      this.patterns.set(route.url, known);
    }
  }

  all(): readonly RouteEntry[] {
    return this.entries;
  }

  /** Throws an error that names every route without a declaration (IAM-3): deny by default begins before the first request. */
  assertDeclared(): void {
    const undeclared = this.entries
      .filter((entry) => entry.access === null)
      .map(({ method, url }) => `${method} ${url}`);
    if (undeclared.length === 0) return;
    throw new Error(
      `these routes declare no permission (@Require, @Public or virtualKeyRoute): ${[...new Set(undeclared)].join(', ')}`,
    );
  }

  /** Methods that some route has for a path, sorted; empty when there is no such path. For answers 404 and 405. */
  methodsAt(path: string): readonly string[] {
    const methods = new Set<string>();
    for (const { pattern, methods: own } of this.patterns.values()) {
      if (pattern.test(path)) for (const method of own) methods.add(method);
    }
    return [...methods].sort();
  }
}

/** Fastify's pattern as an expression without repetition inside repetition: `:x` is one segment, `*` at the end the rest. */
function toPattern(url: string): RegExp {
  const source = url
    .split('/')
    .map((segment) => (segment.startsWith(':') ? '[^/]+' : segment === '*' ? '.*' : segment.replace(/[^\w-]/g, '\\$&')))
    .join('/');
  return new RegExp(`^${source}$`);
}
