import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { beginAnswer } from './answer-headers.js';
import { PROBLEM_CONTENT_TYPE, renderProblem, toAppError } from './problem.js';

const logger = new Logger('AdminApi');

/** Sends any error as a problem. A fault of ours (5xx) is logged with its cause; a caller's own mistake is not. */
export function sendProblem(request: FastifyRequest, reply: FastifyReply, thrown: unknown): void {
  if (!reply.sent) beginAnswer(request, reply);
  const error = toAppError(thrown);
  if (error.status >= 500) {
    const cause = error.cause ?? error;
    logger.error({
      msg: error.message,
      code: error.code,
      requestId: request.id,
      cause: cause instanceof Error ? cause.stack : String(cause),
    });
  }
  if (reply.sent) return;
  if (error.code === 'not_signed_in') void reply.header('www-authenticate', 'Bearer realm="smartflow-admin"');
  void reply
    .code(error.status)
    .header('content-type', PROBLEM_CONTENT_TYPE)
    .header('cache-control', 'no-store') // whatever the handler had set
    .send(JSON.stringify(renderProblem(error, String(request.id))));
}

/** Exception filter of the admin controllers, bound by `@Require` and `@Public`. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    sendProblem(http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>(), thrown);
  }
}
