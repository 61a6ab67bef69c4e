import type { DialectName } from '#libs/dialects/index.js';
import type { FailureClass } from '#libs/platform/config.js';
import { classNamed, RULES, type SaidError } from './error-rules.js';

/** Error bodies are short; of a longer one the status alone decides. */
export const MOST_ERROR_BYTES = 64 * 1024;

/**
 * The class of a provider's error answer (RTE-2), by its status and what its body says in the provider's own dialect.
 *
 * @param dialect of the provider, not of the caller's route
 * @param body as far as it was read; an empty one is allowed
 */
export function classifyAnswer(dialect: DialectName, status: number, body: Buffer): FailureClass {
  const root = body.length === 0 || body.length > MOST_ERROR_BYTES ? null : rootOf(body);
  return root === null ? byStatus(status, null) : classOf(dialect, status, saidIn(root));
}

/**
 * The class of the error that an answer with a good status hides in its body, `null` when it hides none. Costs a look at the
 * first bytes when there is none.
 */
export function classifyHiddenError(dialect: DialectName, body: Buffer): FailureClass | null {
  if (body.length > MOST_ERROR_BYTES) return null;
  const at = body.subarray(0, 2048).indexOf('"error"');
  if (at < 0) return null;
  const root = rootOf(body) ?? {};
  // Answers of the Responses API carry `"error": null`, and some servers warn beside an answer.
  if (root['error'] == null || root['error'] === false) return null;
  if (ANSWERS.some((name) => Array.isArray(root[name]) && root[name].length > 0)) return null;
  return classOf(dialect, 200, saidIn(root));
}

/** Lists that hold the answer itself. */
const ANSWERS = ['choices', 'content', 'candidates', 'output', 'data'] as const;

/**
 * The class of the error event that ends a stream, from its JSON text: the error stands under `error`, in OpenAI's Responses
 * also under `response.error` (`response.failed`) or in the event itself (`error`).
 */
export function classifyStreamError(dialect: DialectName, data: Buffer): FailureClass {
  const root = data.length > MOST_ERROR_BYTES ? null : rootOf(data);
  return root === null ? 'error_body' : classOf(dialect, 200, saidIn(root));
}

/** Under a good status the error may tell the status it would have had. */
function classOf(dialect: DialectName, status: number, said: SaidError): FailureClass {
  const meant = status === 200 && said.status >= 400 && said.status < 600 ? said.status : status;
  return byRules(dialect, meant, said) ?? (meant === 200 ? 'error_body' : byStatus(meant, said));
}

/** Where no rule says more. `said`: `null` when the body cannot be read. */
function byStatus(status: number, said: SaidError | null): FailureClass {
  switch (status) {
    case 401:
    case 407:
      return 'auth';
    case 402:
      return 'quota';
    case 403:
    case 404:
    case 410:
      return said === null ? 'error_body' : classNamed(said);
    case 408:
      return 'request_timeout';
    case 425:
    case 429:
      return 'rate_limit';
    case 503:
    case 529:
      return 'overloaded';
    default:
      if (status >= 500) return 'server_error';
      return status >= 400 ? 'invalid_request' : 'bad_answer';
  }
}

function byRules(dialect: DialectName, status: number, said: SaidError): FailureClass | null {
  for (const rule of RULES[dialect]) {
    const fits =
      (rule.statuses?.includes(status) ?? true) &&
      (rule.type?.test(said.type) ?? true) &&
      (rule.code?.test(said.code) ?? true) &&
      (rule.message?.test(said.message) ?? true);
    if (fits) return rule.is === 'as-named' ? classNamed(said) : rule.is;
  }
  return null;
}

type Json = Readonly<Record<string, unknown>>;

/** Gemini wraps its errors in a list where it streams one. */
function rootOf(body: Buffer): Json | null {
  const parsed = parse(body);
  const root: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
  return typeof root === 'object' && root !== null ? mapping(root) : null;
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
}

function saidIn(root: Json): SaidError {
  const error = root['error'] ?? mapping(root['response'])['error'];
  const inner = typeof error === 'object' && error !== null ? mapping(error) : root;
  const details = Array.isArray(inner['details'])
    ? inner['details'].slice(0, 8).map((detail) => text(mapping(detail)['reason']))
    : [];
  return {
    type: typeOf(inner),
    code: [text(inner['code']), text(mapping(inner['innererror'])['code']), ...details].join(' '),
    param: text(inner['param']),
    message: typeof error === 'string' ? text(error) : text(inner['message'] ?? root['message'] ?? root['detail']),
    status: [inner['code'], inner['status'], root['status']].find((value) => typeof value === 'number') ?? 0,
  };
}

/** The `type` of an event that is an error says no more than that. */
function typeOf({ status, type, __type, code }: Json): string {
  if (typeof status === 'string') return text(status);
  return text((type === 'error' ? undefined : type) ?? __type ?? code);
}

function mapping(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

const MOST_TEXT = 2000;

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value).slice(0, MOST_TEXT).toLowerCase() : '';
}
