import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { Dialect } from '#libs/dialects/index.js';
import { AppError } from '#libs/platform/errors.js';
import { newId } from '#libs/platform/ids.js';
import { endpointsAt } from './endpoints.js';

/**
 * Requests of the data plane's paths that no stage sees: no such route, the wrong method, a body that is too large. They
 * are answered in the dialect of the path, like everything else there.
 */
export function answerInDialect(dialect: Dialect, request: FastifyRequest, reply: FastifyReply, error: AppError): void {
  const rendered = dialect.renderError(error);
  const id = newId('req');
  void reply
    .code(rendered.status)
    .headers({ ...rendered.headers, 'x-request-id': id, ...(dialect.name === 'anthropic' ? { 'request-id': id } : {}) })
    .send(request.method === 'HEAD' ? '' : rendered.body);
}

/** The methods a path of the data plane takes, for the `allow` header; empty when there is no such path. */
export function allowedMethods(path: string): string {
  return endpointsAt(path)
    .map((endpoint) => endpoint.method)
    .join(', ');
}

/** Why a path of the data plane has no handler, with the way out where the mistake is a well-known one. */
export function unknownRoute(method: string, path: string, allowed: string): AppError {
  if (allowed !== '')
    return new AppError('method_not_allowed', { text: `${method} is not allowed here; use ${allowed}.` });
  if (path.startsWith('/anthropic/v1/v1/'))
    return new AppError('route_not_found', {
      text: 'There is no such route: "/v1" stands in the path twice. Set the base URL to …/anthropic, without /v1.',
    });
  if (/^\/anthropic\/(messages|models)/.test(path))
    return new AppError('route_not_found', {
      text: 'There is no such route: "/v1" is missing. Set the base URL to …/anthropic/v1 for this client.',
    });
  if (path.startsWith('/v1/v1/'))
    return new AppError('route_not_found', {
      text: 'There is no such route: "/v1" stands in the path twice. Leave it out of the base URL.',
    });
  return new AppError('route_not_found');
}

/** What the HTTP server itself refused, as one of our errors. */
export function serverError(error: FastifyError | Error): AppError {
  if (error instanceof AppError) return error;
  const code = 'code' in error ? error.code : '';
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new AppError('body_too_large');
  if (code === 'FST_ERR_CTP_INVALID_CONTENT_LENGTH')
    return new AppError('invalid_request', { text: 'The body does not have the length its header says.' });
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new AppError('unsupported_media_type');
  if (code === 'FST_ERR_CTP_EMPTY_JSON_BODY') return new AppError('invalid_json');
  return new AppError('internal', { cause: error });
}
