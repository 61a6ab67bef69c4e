import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AppError } from '#libs/platform/errors.js';
import type { AdminPrincipal } from './principal.js';

/** Parameter decorator: the `AdminPrincipal` of this request. Reads the request object; no request scope is involved. */
export const CurrentPrincipal = createParamDecorator((_data: unknown, context: ExecutionContext): AdminPrincipal => {
  const principal = context.switchToHttp().getRequest<FastifyRequest>().adminPrincipal;
  // Only reachable when the access hook is not installed: refuse rather than run without a caller.
  if (principal === null || principal === undefined) throw new AppError('not_signed_in');
  return principal;
});
