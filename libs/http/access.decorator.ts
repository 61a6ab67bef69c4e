import { applyDecorators, UseFilters, UsePipes } from '@nestjs/common';
import { ApiExtension } from '@nestjs/swagger';
import { RouteConfig } from '@nestjs/platform-fastify';
import { adminValidationPipe } from './admin-validation.pipe.js';
import type { Permission } from './permissions.js';
import { ProblemFilter } from './problem.filter.js';
import type { RouteAccess } from './route-access.js';

const problemFilter = new ProblemFilter();

/** All that an admin handler needs, bound to the one method: nothing global may reach the proxy controller. */
function adminRoute(access: RouteAccess, shown: MethodDecorator): MethodDecorator {
  return applyDecorators(RouteConfig({ access }), UsePipes(adminValidationPipe), UseFilters(problemFilter), shown);
}

/**
 * Declares the permission a handler demands and binds DTO validation and the problem renderer to it. HEAD and OPTIONS of the
 * path inherit it. `loopback`: also open to direct callers on this machine.
 */
export function Require(permission: Permission, options: { readonly loopback?: boolean } = {}): MethodDecorator {
  return adminRoute(
    { kind: 'permission', permission, loopback: options.loopback ?? false },
    ApiExtension('x-permission', permission),
  );
}

/** Declares that anybody may call a handler, and why; otherwise like `Require`. */
export function Public(reason: string): MethodDecorator {
  return adminRoute({ kind: 'public', reason }, ApiExtension('x-public', reason));
}
