import { ERRORS, type AppError, type ErrorKind } from '#libs/platform/errors.js';
import {
  errorHeaders,
  type Dialect,
  type ListedModel,
  type Operation,
  type RenderedError,
  type StreamEnding,
} from '../dialect.js';
import { geminiUsageOfBody, geminiUsageOfRaw, geminiUsageOfStream } from './usage.js';

/** `error.status` (google.rpc.Code) by the kind of our error. */
const STATUSES: Record<ErrorKind, string> = {
  caller: 'INVALID_ARGUMENT',
  auth: 'UNAUTHENTICATED',
  forbidden: 'PERMISSION_DENIED',
  not_found: 'NOT_FOUND',
  conflict: 'ABORTED',
  too_large: 'INVALID_ARGUMENT',
  rate: 'RESOURCE_EXHAUSTED',
  upstream: 'UNAVAILABLE',
  unavailable: 'UNAVAILABLE',
  internal: 'INTERNAL',
};

function errorBody(error: AppError): { status: number; body: string } {
  const noModel = error.code === 'model_not_found';
  const status = noModel ? 403 : ERRORS[error.code].status;
  const reason = noModel ? 'PERMISSION_DENIED' : STATUSES[error.kind];
  const retryInfo = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${error.retryAfterS}s` };
  const details = error.retryAfterS === null ? {} : { details: [retryInfo] };
  return {
    status,
    body: JSON.stringify({ error: { code: status, message: error.message, status: reason, ...details } }),
  };
}

function renderError(error: AppError): RenderedError {
  const { status, body } = errorBody(error);
  return { status, body, headers: errorHeaders(error, status) };
}

const DONE = /"(finishReason|blockReason)":\s*"/;
/** At the top of a frame or of an element of the array: an argument of a function call may be named `error` too. */
const FAILED = /(^|\n)(data: ?|[[,]?\s*)\{\s*"error"\s*:\s*\{/;

/** A stream is over with a finish or block reason; there is no frame that only says so. */
function endingOf(_operation: Operation, tail: Buffer): StreamEnding {
  const text = tail.toString('latin1');
  if (FAILED.test(text)) return 'failed';
  return DONE.test(text) ? 'done' : 'cut';
}

function wire(model: ListedModel): object {
  return {
    name: `models/${model.id}`,
    displayName: model.id,
    ...(model.contextTokens === null ? {} : { inputTokenLimit: model.contextTokens }),
    supportedGenerationMethods: ['generateContent', 'countTokens'],
  };
}

/** The native Gemini API (generativelanguage v1/v1beta). */
export const gemini: Dialect = {
  name: 'gemini',
  renderError,
  rateHeaders: () => ({}), // the API has no such headers
  renderStreamError: (_operation, error) => `data: ${errorBody(error).body}\n\n`,
  endingOf,
  usageOfBody: geminiUsageOfBody,
  usageOfStream: geminiUsageOfStream,
  hasFinalUsage: () => true,
  usageOfRaw: geminiUsageOfRaw,
  tierHeader: 'x-gemini-service-tier',
  billedMark: '"webSearchQueries"',
  renderModels: (models) => JSON.stringify({ models: models.map(wire) }),
  renderModel: (model) => JSON.stringify(wire(model)),
};
