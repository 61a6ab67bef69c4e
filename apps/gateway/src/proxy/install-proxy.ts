import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { isSuspiciousPath } from '#libs/http/index.js';
import { AppError } from '#libs/platform/errors.js';
import { dialectOfPath } from './endpoints.js';
import { answerInDialect, serverError, unknownRoute } from './unknown-route.js';

/**
 * What the data plane needs of Fastify itself, beside its controller: bodies up to the configured size on its routes, and
 * its own dialects for whatever the server refuses before a handler runs. Call before the routes are registered.
 * @param bodyLimitBytes largest request body
 */
export function installProxy(fastify: FastifyInstance, bodyLimitBytes: number): void {
  fastify.addHook('onRoute', (route: RouteOptions) => {
    if (route.config?.access?.kind !== 'virtual-key') return;
    route.bodyLimit = bodyLimitBytes;
    route.errorHandler = renderServerError;
  });
  // Runs for unknown paths too, before Nest's own not-found handling.
  fastify.addHook('onRequest', (request, reply, done) => {
    const suspicious = isSuspiciousPath(withPlainModelName(request.raw.url ?? ''));
    if (!suspicious && !request.is404) return done();
    const path = pathOf(request);
    const dialect = dialectOfPath(path);
    if (dialect === null) return done();
    answerInDialect(
      dialect,
      request,
      reply,
      suspicious ? new AppError('bad_path') : unknownRoute(request.method, path),
    );
  });
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
