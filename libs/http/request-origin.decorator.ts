import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

/** Who makes a request and from where, as the audit log records it. */
export interface RequestOrigin {
  readonly actor: {
    readonly kind: 'token' | 'session' | 'loopback' | 'anonymous';
    readonly id: string;
    readonly name: string;
  };
  readonly ip: string;
  readonly userAgent: string | null;
  readonly requestId: string;
}

export function originOf(request: FastifyRequest): RequestOrigin {
  const principal = request.adminPrincipal;
  return {
    actor:
      principal === null
        ? { kind: 'anonymous', id: '', name: '' }
        : { kind: principal.kind, id: principal.id, name: principal.name },
    ip: request.ip,
    userAgent: request.headers['user-agent']?.slice(0, 256) ?? null,
    requestId: String(request.id),
  };
}

/** Parameter decorator: the `RequestOrigin` of this request. */
export const Origin = createParamDecorator((_data: unknown, context: ExecutionContext): RequestOrigin =>
  originOf(context.switchToHttp().getRequest()),
);
