import { ERRORS, type AppError, type ErrorKind } from '#libs/platform/errors.js';
import { errorHeaders, type Operation, type RenderedError } from '../dialect.js';

/** `error.type` of the Anthropic API by the kind of our error (Anthropic API reference, "Errors"). */
const TYPES: Record<ErrorKind, string> = {
  caller: 'invalid_request_error',
  auth: 'authentication_error',
  forbidden: 'permission_error',
  not_found: 'not_found_error',
  conflict: 'invalid_request_error',
  too_large: 'request_too_large',
  rate: 'rate_limit_error',
  upstream: 'api_error',
  unavailable: 'overloaded_error',
  internal: 'api_error',
};

function errorBody(error: AppError, type: string): string {
  return JSON.stringify({ type: 'error', error: { type, message: error.message } });
}

/** `{"type":"error","error":{type,message}}`. A model the key may not use is 403 here: Claude Code hides the text of a 404. */
export function renderAnthropicError(error: AppError): RenderedError {
  const noModel = error.code === 'model_not_found';
  const status = noModel ? 403 : ERRORS[error.code].status;
  return {
    status,
    body: errorBody(error, noModel ? 'permission_error' : TYPES[error.kind]),
    headers: errorHeaders(error, status),
  };
}

/** Always with its `event:` line: the SDK drops frames that have none. */
export function renderAnthropicStreamError(_operation: Operation, error: AppError): string {
  return `event: error\ndata: ${errorBody(error, TYPES[error.kind])}\n\n`;
}
