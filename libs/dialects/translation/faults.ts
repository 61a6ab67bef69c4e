import type { DialectName } from '../dialect.js';
import { nested, stringOf } from './answers.js';
import { isObject } from './fields.js';
import type { Fault, FaultKind } from './answer-model.js';
import type { Json } from './request-model.js';

/** Providers' errors between the dialects: status, kind and message are kept, only the shape changes. */

const KIND_OF_STATUS: Readonly<Record<number, FaultKind>> = {
  400: 'invalid',
  401: 'auth',
  402: 'quota',
  403: 'forbidden',
  404: 'not_found',
  408: 'timeout',
  413: 'too_large',
  422: 'invalid',
  429: 'rate',
  503: 'overloaded',
  504: 'timeout',
  529: 'overloaded',
};

/** Names of kinds as providers write them: Anthropic's `error.type`, OpenAI's `type` and `code`, Google's `status`. */
const KIND_OF_NAME: Readonly<Record<string, FaultKind>> = {
  invalid_request_error: 'invalid',
  INVALID_ARGUMENT: 'invalid',
  FAILED_PRECONDITION: 'invalid',
  OUT_OF_RANGE: 'invalid',
  context_length_exceeded: 'context_length',
  authentication_error: 'auth',
  invalid_api_key: 'auth',
  UNAUTHENTICATED: 'auth',
  permission_error: 'forbidden',
  PERMISSION_DENIED: 'forbidden',
  not_found_error: 'not_found',
  model_not_found: 'not_found',
  NOT_FOUND: 'not_found',
  request_too_large: 'too_large',
  rate_limit_error: 'rate',
  rate_limit_exceeded: 'rate',
  RESOURCE_EXHAUSTED: 'rate',
  insufficient_quota: 'quota',
  billing_error: 'quota',
  timeout_error: 'timeout',
  DEADLINE_EXCEEDED: 'timeout',
  overloaded_error: 'overloaded',
  server_is_overloaded: 'overloaded',
  UNAVAILABLE: 'overloaded',
  api_error: 'server',
  server_error: 'server',
  INTERNAL: 'server',
};

/** How each provider words "too long"; clients compact or cut their prompt when they recognise it. */
const TOO_LONG =
  /prompt is too long: (?<used>\d+) tokens > (?<limit>\d+)|maximum context length is (?<limit2>\d+) tokens.*?(?<used2>\d+) tokens|token count \(?(?<used3>\d+)\)? exceeds the maximum number of tokens allowed \(?(?<limit3>\d+)\)?|exceeds? the (?:model's )?(?:context window|maximum context length)/is;

/** Reads a provider's error object: all three dialects have `error.message`. */
export function faultOf(error: unknown, status: number | null): Fault {
  const fields = nested(error);
  const message = stringOf(fields.message) ?? stringOf(error) ?? 'The model provider reported an error.';
  const names = [fields.code, fields.type, fields.status].filter((name): name is string => typeof name === 'string');
  const named = names.map((name) => KIND_OF_NAME[name]).find((kind) => kind !== undefined);
  const kind =
    named === undefined || named === 'server' ? (KIND_OF_STATUS[status ?? codeOf(fields)] ?? named ?? 'server') : named;
  const isTooLong =
    (kind === 'invalid' || kind === 'too_large' || kind === 'context_length') && TOO_LONG.test(message.slice(0, 2000));
  return {
    kind: isTooLong ? 'context_length' : kind,
    message,
    code: stringOf(fields.code) ?? null,
    param: stringOf(fields.param) ?? null,
  };
}

const codeOf = (fields: Json): number => (typeof fields.code === 'number' ? fields.code : 0);

/** An error body of a provider; HTML and the like keep only their status. */
export function readFault(body: Buffer, status: number): Fault {
  try {
    const parsed: unknown = JSON.parse(body.toString());
    const first: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
    if (isObject(first)) return faultOf(first.error ?? first, status);
  } catch {
    // not JSON: below
  }
  return faultOf({ message: `The model provider answered with status ${status}.` }, status);
}

const OPENAI_TYPES: Readonly<Record<FaultKind, readonly [type: string, code: string | null]>> = {
  invalid: ['invalid_request_error', null],
  context_length: ['invalid_request_error', 'context_length_exceeded'],
  auth: ['authentication_error', 'invalid_api_key'],
  forbidden: ['permission_error', null],
  not_found: ['invalid_request_error', 'model_not_found'],
  too_large: ['invalid_request_error', 'request_too_large'],
  rate: ['rate_limit_error', 'rate_limit_exceeded'],
  quota: ['insufficient_quota', 'insufficient_quota'],
  timeout: ['server_error', 'timeout'],
  overloaded: ['server_error', 'server_is_overloaded'],
  server: ['server_error', null],
};

const ANTHROPIC_TYPES: Readonly<Record<FaultKind, string>> = {
  invalid: 'invalid_request_error',
  context_length: 'invalid_request_error',
  auth: 'authentication_error',
  forbidden: 'permission_error',
  not_found: 'not_found_error',
  too_large: 'request_too_large',
  rate: 'rate_limit_error',
  quota: 'rate_limit_error',
  timeout: 'timeout_error',
  overloaded: 'overloaded_error',
  server: 'api_error',
};

const GEMINI_STATUSES: Readonly<Record<FaultKind, readonly [status: string, code: number]>> = {
  invalid: ['INVALID_ARGUMENT', 400],
  context_length: ['INVALID_ARGUMENT', 400],
  auth: ['UNAUTHENTICATED', 401],
  forbidden: ['PERMISSION_DENIED', 403],
  not_found: ['NOT_FOUND', 404],
  too_large: ['INVALID_ARGUMENT', 413],
  rate: ['RESOURCE_EXHAUSTED', 429],
  quota: ['RESOURCE_EXHAUSTED', 429],
  timeout: ['DEADLINE_EXCEEDED', 504],
  overloaded: ['UNAVAILABLE', 503],
  server: ['INTERNAL', 500],
};

const FAILED_CODES: Readonly<Partial<Record<FaultKind, string>>> = {
  invalid: 'invalid_prompt',
  context_length: 'context_length_exceeded',
  rate: 'rate_limit_exceeded',
  quota: 'insufficient_quota',
  overloaded: 'server_is_overloaded',
};

/** The code of `response.failed`. Codex shows the text of `invalid_prompt` and asks again for what it does not know. */
export function failedCode(fault: Fault): string {
  return FAILED_CODES[fault.kind] ?? 'server_error';
}

/** The words Claude Code knows, or the provider's own. */
function anthropicMessage(fault: Fault): string {
  if (fault.kind !== 'context_length') return fault.message;
  const found = TOO_LONG.exec(fault.message.slice(0, 2000))?.groups ?? {};
  const used = found.used ?? found.used2 ?? found.used3;
  const limit = found.limit ?? found.limit2 ?? found.limit3;
  return used === undefined || limit === undefined
    ? `prompt is too long: ${fault.message}`
    : `prompt is too long: ${used} tokens > ${limit} maximum`;
}

/** The error object of OpenAI's dialects. */
export function openAiError(fault: Fault): {
  message: string;
  type: string;
  param: string | null;
  code: string | null;
} {
  const [type, code] = OPENAI_TYPES[fault.kind];
  return { message: fault.message, type, param: fault.param, code: fault.code ?? code };
}

export function anthropicErrorBody(fault: Fault): Json {
  return { type: 'error', error: { type: ANTHROPIC_TYPES[fault.kind], message: anthropicMessage(fault) } };
}

export function geminiErrorBody(fault: Fault, status?: number): Json {
  const [name, code] = GEMINI_STATUSES[fault.kind];
  return { error: { code: status ?? code, message: fault.message, status: name } };
}

/** An error as the caller's dialect writes it. Only Anthropic's own 529 has no meaning elsewhere. */
export function writeFault(fault: Fault, status: number, to: DialectName): { status: number; body: Json } {
  if (to === 'anthropic') return { status, body: anthropicErrorBody(fault) };
  const plain = status === 529 ? 503 : status;
  return { status: plain, body: to === 'openai' ? { error: openAiError(fault) } : geminiErrorBody(fault, plain) };
}
