import type { FastifyHttpOptions } from 'fastify';
import type { Server } from 'node:http';
import { sendProblem } from '#libs/http/index.js';
import { AppError } from '#libs/platform/errors.js';
import { dialectOfPath } from './proxy/endpoints.js';
import { answerInDialect } from './proxy/unknown-route.js';

const MAX_HEADER_BYTES = 16 * 1024;
/** For the whole request to arrive; a slow sender must not hold a connection for ever. */
const REQUEST_TIMEOUT_MS = 300_000;
/** Longer than any load balancer in front keeps its side open, so that it never meets a connection we are closing. */
const KEEP_ALIVE_MS = 75_000;

/** Settings of the HTTP server, every wait and size bounded. */
export function serverOptions(): FastifyHttpOptions<Server> {
  return {
    logger: false,
    trustProxy: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    return503OnClosing: false,
    http: { maxHeaderSize: MAX_HEADER_BYTES },
    routerOptions: { maxParamLength: 1024 },
    // A path that cannot even be decoded never reaches a hook.
    frameworkErrors(_error, request, reply) {
      const dialect = dialectOfPath(request.raw.url ?? '/');
      const error = new AppError('bad_path');
      if (dialect === null) sendProblem(request, reply, error);
      else answerInDialect(dialect, request, reply, error);
    },
  };
}
