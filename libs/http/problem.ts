import { STATUS_CODES } from 'node:http';
import { AppError, type ErrorCode } from '#libs/platform/errors.js';

/** RFC 9457 problem details, the error shape of everything that is not a proxy route. */
export interface Problem {
  /** `urn:smartflow:problem:<code>`. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly requestId: string;
  /** Where the error is explained. */
  readonly docs: string;
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
}

export const PROBLEM_CONTENT_TYPE = 'application/problem+json; charset=utf-8';

/** Codes for errors that others throw (Fastify, Nest), by HTTP status. Their texts are not shown: they may quote internals. */
const CODE_BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_request',
  401: 'not_signed_in',
  403: 'permission_denied',
  404: 'route_not_found',
  405: 'method_not_allowed',
  409: 'conflict',
  413: 'body_too_large',
  415: 'unsupported_encoding',
  503: 'store_unavailable',
};

function statusOf(error: unknown): number {
  if (typeof error !== 'object' || error === null) return 500;
  const { status, statusCode } = error as { status?: unknown; statusCode?: unknown };
  return typeof statusCode === 'number' ? statusCode : typeof status === 'number' ? status : 500;
}

/**
 * Any thrown value as an error of the catalogue. What is not ours keeps its class of fault (by status) and loses its text;
 * the original is the `cause`, for the log.
 */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const status = statusOf(error);
  const code = CODE_BY_STATUS[status] ?? (status >= 400 && status < 500 ? 'invalid_request' : 'internal');
  const text = code === 'unsupported_encoding' ? 'The content type of the body is not accepted.' : undefined;
  return new AppError(code, { cause: error, ...(text === undefined ? {} : { text }) });
}

/** Renders an error of the catalogue for the admin API; `requestId` lets a user quote it to whoever reads the log. */
export function renderProblem(error: AppError, requestId: string): Problem {
  return {
    type: `urn:smartflow:problem:${error.code}`,
    title: STATUS_CODES[error.status] ?? 'Error',
    status: error.status,
    detail: error.message,
    code: error.code,
    requestId,
    docs: error.docsAnchor,
    ...(error.faults.length > 0
      ? { errors: error.faults }
      : error.param !== null
        ? { errors: [{ path: error.param, message: error.message }] }
        : {}),
  };
}
