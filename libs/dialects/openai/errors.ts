import { ERRORS, type AppError, type ErrorKind } from '#libs/platform/errors.js';
import { errorHeaders, type Operation, type RenderedError } from '../dialect.js';

/** `error.type` of the OpenAI API by the kind of our error (OpenAI API reference, "Error codes"). */
const TYPES: Record<ErrorKind, string> = {
  caller: 'invalid_request_error',
  auth: 'authentication_error',
  forbidden: 'permission_error',
  not_found: 'invalid_request_error',
  conflict: 'invalid_request_error',
  too_large: 'invalid_request_error',
  rate: 'rate_limit_error',
  upstream: 'upstream_error',
  unavailable: 'server_error',
  internal: 'server_error',
};

/** Type and code of an account that has nothing left (OpenAI "Error codes"): clients do not take it for a rate limit. */
const INSUFFICIENT_QUOTA = 'insufficient_quota';

/** Codes that clients of this dialect know under another name. */
function wireCode(error: AppError): string {
  if (error.kind === 'auth') return 'invalid_api_key';
  if (error.code === 'budget_exceeded') return INSUFFICIENT_QUOTA;
  if (error.code === 'model_missing') return 'missing_required_parameter';
  return error.code;
}

function errorObject(error: AppError): { message: string; type: string; param: string | null; code: string } {
  const type = error.code === 'budget_exceeded' ? INSUFFICIENT_QUOTA : TYPES[error.kind];
  return { message: error.message, type, param: error.param, code: wireCode(error) };
}

/** `{"error":{message,type,param,code}}`. */
export function renderOpenAiError(error: AppError): RenderedError {
  const status = ERRORS[error.code].status;
  return { status, body: JSON.stringify({ error: errorObject(error) }), headers: errorHeaders(error, status) };
}

/**
 * Chat: one error frame, which the SDKs throw. Responses: an `error` event, on which the SDK throws, followed by
 * `response.failed`, which Codex reads (it ignores the first).
 */
export function renderOpenAiStreamError(operation: Operation, error: AppError): string {
  if (operation !== 'responses') return `data: ${JSON.stringify({ error: errorObject(error) })}\n\n`;
  const first = { type: 'error', code: wireCode(error), message: error.message, param: error.param };
  const failed = {
    type: 'response.failed',
    response: {
      object: 'response',
      status: 'failed',
      output: [],
      error: { code: 'server_error', message: error.message },
    },
  };
  return `event: error\ndata: ${JSON.stringify(first)}\n\nevent: response.failed\ndata: ${JSON.stringify(failed)}\n\n`;
}
