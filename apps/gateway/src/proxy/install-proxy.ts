import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { isSuspiciousPath } from '#libs/http/index.js';
import { AppError } from '#libs/platform/errors.js';
import { admitBody } from './admit-body.js';
import type { DataPlane } from './data-plane.js';
import { dialectOfPath, endpointOf, type Endpoint } from './endpoints.js';
import { allowedMethods, answerInDialect, serverError, unknownRoute } from './unknown-route.js';

/**
 * What the data plane needs of Fastify itself, beside its controller: bodies up to the configured size on its routes, large
 * ones only from callers with a key, and its own dialects for whatever the server refuses before a handler runs. Call before
 * the routes are registered.
 */
export function installProxy(fastify: FastifyInstance, plane: DataPlane): void {
  fastify.addHook('onRoute', (route: RouteOptions) => {
    if (route.config?.access?.kind !== 'virtual-key') return;
    route.bodyLimit = plane.bodyLimitBytes;
    route.errorHandler = renderServerError;
  });
  // Runs for unknown paths too, before Nest's own not-found handling.
  fastify.addHook('onRequest', (request, reply, done) => {
    const suspicious = isSuspiciousPath(withPlainModelName(request.raw.url ?? ''));
    if (!suspicious && !request.is404) return admit(request, reply, plane, done);
    const path = pathOf(request);
    const dialect = dialectOfPath(path);
    // Whose path it is meant to be cannot be told: the admin side answers.
    if (dialect === null) return done();
    if (suspicious) return answerInDialect(dialect, request, reply, new AppError('bad_path'));
    const allowed = allowedMethods(path);
    if (allowed !== '') void reply.header('allow', allowed);
    answerInDialect(dialect, request, reply, unknownRoute(request.method, path, allowed));
  });
}

function admit(request: FastifyRequest, reply: FastifyReply, plane: DataPlane, done: () => void): void {
  if (request.method !== 'POST' || request.routeOptions.config.access?.kind !== 'virtual-key') return done();
  try {
    const endpoint = endpointOf(request.method, request.routeOptions.url ?? '') as Endpoint;
    admitBody(endpoint, request.raw, reply.raw, plane);
  } catch (error) {
    // The body stays unread, so the connection cannot serve another request.
    void reply.header('connection', 'close');
    return renderServerError(error as FastifyError, request, reply);
  }
  done();
}

/**
 * Model names may contain a slash, which SDKs encode (`/v1/models/demo%2Fecho`). Behind `/models/` an encoded slash counts as
 * the slash it stands for; whatever is a trick with a plain slash is one still.
 */
function withPlainModelName(url: string): string {
  if (!url.includes('%')) return url;
  return url.replace(/\/models\/[^?]*/, (name) => name.replace(/%2f/gi, '/'));
}

function renderServerError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const dialect = dialectOfPath(pathOf(request));
  if (dialect === null) throw error;
  const known = serverError(error);
  if (known.code === 'internal') request.log.error({ err: error }, 'the server failed before the data plane');
  answerInDialect(dialect, request, reply, known);
}

function pathOf(request: FastifyRequest): string {
  const url = request.raw.url ?? '/';
  const mark = url.indexOf('?');
  return mark < 0 ? url : url.slice(0, mark);
}
