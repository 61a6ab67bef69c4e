import type { FastifyHttpOptions } from 'fastify';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { sendProblem } from '#libs/http/index.js';
import { AppError } from '#libs/platform/errors.js';
import { newId } from '#libs/platform/ids.js';
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
    clientErrorHandler: refuseMalformed,
    // A path that cannot even be decoded never reaches a hook.
    frameworkErrors(_error, request, reply) {
      const dialect = dialectOfPath(request.raw.url ?? '/');
      const error = new AppError('bad_path');
      if (dialect === null) sendProblem(request, reply, error);
      else answerInDialect(dialect, request, reply, error);
    },
  };
}

/**
 * What is no HTTP, or too large to be read as such, has no path and so no dialect: the answer has the parts that the OpenAI
 * and the Anthropic clients look for.
 */
function refuseMalformed(fault: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || fault.code === 'ECONNRESET') return void socket.destroy();
  const [status, reason, message] =
    fault.code === 'HPE_HEADER_OVERFLOW'
      ? [431, 'Request Header Fields Too Large', 'The request headers are too large.']
      : fault.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'Request Timeout', 'The request did not arrive in time.']
        : [400, 'Bad Request', 'The request is not valid HTTP.'];
  const error = { type: 'invalid_request_error', message, code: 'bad_request', param: null };
  const body = JSON.stringify({ type: 'error', error });
  const head = `HTTP/1.1 ${status} ${reason}\r\nx-request-id: ${newId('req')}\r\nx-should-retry: false`;
  const rest = `content-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close`;
  socket.end(`${head}\r\n${rest}\r\n\r\n${body}`);
}
