import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AppError } from '#libs/platform/errors.js';
import type { Role } from './permissions.js';
import { originOf, type RequestOrigin } from './request-origin.decorator.js';

/** What every changing request says beside its body. */
export interface ChangeRequest {
  readonly orgId: string;
  /** Of the caller: what is made has no more rights. */
  readonly role: Role;
  readonly origin: RequestOrigin;
  /** Of `If-Match: "7"`; `null` when the caller takes whatever is there. */
  readonly expectedVersion: number | null;
}

/** The version a caller demands with `If-Match`. */
export function expectedVersion(ifMatch: string | undefined): number | null {
  if (ifMatch === undefined || ifMatch.trim() === '*') return null;
  const match = /^\s*"?(\d{1,15})"?\s*$/.exec(ifMatch);
  if (match === null) {
    throw new AppError('invalid_request', {
      text: 'If-Match must be the version in quotes, as in the ETag.',
      param: 'If-Match',
    });
  }
  return Number(match[1]);
}

/** Parameter decorator: the `ChangeRequest` of this request. */
export const Change = createParamDecorator((_data: unknown, context: ExecutionContext): ChangeRequest => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  const principal = request.adminPrincipal;
  if (principal === null || principal === undefined) throw new AppError('not_signed_in');
  return {
    orgId: principal.orgId,
    role: principal.role,
    origin: originOf(request),
    expectedVersion: expectedVersion(request.headers['if-match']),
  };
});
