import type { DialectName } from '#libs/dialects/index.js';
import type { FailureClass } from '#libs/platform/config.js';

/** What error bodies of all dialects say, in one form. All texts in lower case; empty when absent. */
interface SaidError {
  /** `error.type`, `error.status` (Google) or the type of an AWS exception. */
  readonly type: string;
  /** `error.code`, and what Google and Azure nest below `details` and `innererror`. */
  readonly code: string;
  readonly message: string;
  /** A number given as `error.code` or `error.status`; 0 without one. */
  readonly status: number;
}

/** One line of a dialect's rules: all that is given must fit. The first line that fits decides. */
interface Rule {
  readonly statuses?: readonly number[];
  readonly type?: RegExp;
  readonly code?: RegExp;
  readonly message?: RegExp;
  readonly is: FailureClass;
}

const TOO_LONG =
  /maximum context length|context[ _-]?(length|window|size)|prompt is too long|input is too long|too many (input )?tokens|token count .*exceeds|exceeds? the (maximum|model'?s) .*(token|context)|input length and .?max_tokens.? exceed/;
const USED_UP =
  /credit balance is too low|exceeded your current quota|insufficient (funds|balance|credits)|billing (hard|not active)/;
const REFUSED =
  /content management policy|content[ _-]filter|safety (system|settings|policy)|usage polic(y|ies)|flagged/;

/** Status 400 and its like, where the text alone tells the cases apart. */
const OF_THE_REQUEST = [400, 413, 422];

/** OpenAI, Azure and the many servers that speak like them (vLLM, llama.cpp, Ollama, LiteLLM …). */
const OPENAI_RULES: readonly Rule[] = [
  { code: /insufficient_quota|billing_hard_limit|billing_not_active/, is: 'quota' },
  { type: /insufficient_quota|billing/, is: 'quota' },
  { statuses: [429, 403, 400], message: USED_UP, is: 'quota' },
  { code: /context_length_exceeded|exceed_context_size|string_above_max_length/, is: 'context_length' },
  { type: /exceed_context_size/, is: 'context_length' },
  { statuses: OF_THE_REQUEST, message: TOO_LONG, is: 'context_length' },
  { code: /content_filter|content_policy_violation|responsibleai|moderation_blocked/, is: 'content_refusal' },
  { statuses: [400, 403], message: REFUSED, is: 'content_refusal' },
  { statuses: OF_THE_REQUEST, code: /model_not_found|deploymentnotfound|unknown_model/, is: 'unknown_model' },
  { statuses: OF_THE_REQUEST, code: /invalid_api_key/, is: 'auth' },
  { statuses: [200], type: /rate_limit|tokens|requests/, code: /rate_limit/, is: 'rate_limit' },
  { statuses: [200], type: /server_error|internal/, is: 'server_error' },
  { statuses: [200], type: /overloaded/, is: 'overloaded' },
  { statuses: [200], type: /invalid_request/, is: 'invalid_request' },
];

/** https://docs.claude.com/en/api/errors, and Bedrock's exceptions, whose body is `{"message"}`. */
const ANTHROPIC_RULES: readonly Rule[] = [
  { statuses: [400, 429, 402], message: USED_UP, is: 'quota' },
  { type: /billing_error/, is: 'quota' },
  { type: /overloaded_error/, is: 'overloaded' },
  { type: /rate_limit_error|throttling/, is: 'rate_limit' },
  { type: /timeout_error|modeltimeout/, is: 'request_timeout' },
  { type: /api_error|internalserver|modelerror|serviceunavailable/, is: 'server_error' },
  { type: /authentication_error|permission_error|accessdenied|unrecognizedclient|expiredtoken/, is: 'auth' },
  { type: /not_found_error|resourcenotfound/, is: 'unknown_model' },
  { statuses: OF_THE_REQUEST, message: TOO_LONG, is: 'context_length' },
  { statuses: [200], message: TOO_LONG, is: 'context_length' },
  { statuses: [400], message: REFUSED, is: 'content_refusal' },
  { statuses: [400], message: /model identifier is invalid|on-demand throughput isn.t supported/, is: 'unknown_model' },
  { statuses: [200], type: /invalid_request_error|validation/, is: 'invalid_request' },
];

/** https://ai.google.dev/gemini-api/docs/troubleshooting; `status` of google.rpc.Code. */
const GEMINI_RULES: readonly Rule[] = [
  { code: /api_key_invalid|api_key_expired|api_key_service_blocked|service_disabled|consumer_/, is: 'auth' },
  { message: /api key (not valid|expired|not found)/, is: 'auth' },
  // Google words every 429 as a used-up quota, also that of one minute.
  { type: /resource_exhausted/, is: 'rate_limit' },
  { statuses: [403], message: USED_UP, is: 'quota' },
  { type: /unauthenticated|permission_denied/, is: 'auth' },
  { type: /not_found/, is: 'unknown_model' },
  { type: /deadline_exceeded/, is: 'request_timeout' },
  { type: /unavailable/, is: 'overloaded' },
  { type: /^internal|unknown|aborted|data_loss/, is: 'server_error' },
  { statuses: [400, 200], message: TOO_LONG, is: 'context_length' },
  { statuses: [400], message: REFUSED, is: 'content_refusal' },
  { statuses: [400], message: /user location is not supported|billing/, is: 'auth' },
  { type: /invalid_argument|failed_precondition|out_of_range/, is: 'invalid_request' },
];

const RULES: Readonly<Record<DialectName, readonly Rule[]>> = {
  openai: OPENAI_RULES,
  anthropic: ANTHROPIC_RULES,
  gemini: GEMINI_RULES,
};

/** Error bodies are short; of a longer one the status alone decides. */
export const MOST_ERROR_BYTES = 64 * 1024;

/**
 * The class of a provider's error answer (RTE-2), by its status and what its body says in the provider's own dialect.
 *
 * @param dialect of the provider, not of the caller's route
 * @param body as far as it was read; an empty one is allowed
 */
export function classifyAnswer(dialect: DialectName, status: number, body: Buffer): FailureClass {
  const said = body.length === 0 || body.length > MOST_ERROR_BYTES ? null : read(body);
  return (said === null ? null : byRules(dialect, status, said)) ?? byStatus(status);
}

/**
 * The class of the error that an answer with a good status hides in its body, `null` when it hides none. Costs a look at the
 * first bytes when there is none.
 */
export function classifyHiddenError(dialect: DialectName, body: Buffer): FailureClass | null {
  if (body.length > MOST_ERROR_BYTES) return null;
  const at = body.subarray(0, 2048).indexOf('"error"');
  if (at < 0) return null;
  const parsed = parse(body);
  const root = Array.isArray(parsed) ? mapping(parsed[0]) : mapping(parsed);
  // Answers of the Responses API carry `"error": null`, and some servers warn beside an answer.
  if (root['error'] == null || root['error'] === false) return null;
  if (ANSWERS.some((name) => Array.isArray(root[name]) && root[name].length > 0)) return null;
  const said = saidIn(root);
  const status = said.status >= 400 && said.status < 600 ? said.status : 200;
  return byRules(dialect, status, said) ?? (status === 200 ? 'error_body' : byStatus(status));
}

/** Lists that hold the answer itself. */
const ANSWERS = ['choices', 'content', 'candidates', 'output', 'data'] as const;

/** The class of an error event in a stream that had begun, from its JSON text. */
export function classifyStreamError(dialect: DialectName, data: Buffer): FailureClass {
  return classifyHiddenError(dialect, data) ?? 'error_body';
}

/** Where the body tells nothing more. */
function byStatus(status: number): FailureClass {
  switch (status) {
    case 401:
    case 403:
    case 407:
      return 'auth';
    case 402:
      return 'quota';
    case 404:
    case 410:
      return 'unknown_model';
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
    if (fits) return rule.is;
  }
  return null;
}

function read(body: Buffer): SaidError | null {
  const parsed = parse(body);
  const root = Array.isArray(parsed) ? parsed[0] : parsed;
  return typeof root === 'object' && root !== null ? saidIn(mapping(root)) : null;
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
}

function saidIn(root: Readonly<Record<string, unknown>>): SaidError {
  const { error } = root;
  const inner = typeof error === 'object' && error !== null ? mapping(error) : root;
  const details = Array.isArray(inner['details'])
    ? inner['details'].slice(0, 8).map((detail) => text(mapping(detail)['reason']))
    : [];
  return {
    type: text(
      inner['status'] === undefined || typeof inner['status'] === 'number'
        ? (inner['type'] ?? inner['__type'] ?? inner['code'])
        : inner['status'],
    ),
    code: [text(inner['code']), text(mapping(inner['innererror'])['code']), ...details].join(' '),
    message: typeof error === 'string' ? text(error) : text(inner['message'] ?? root['message'] ?? root['detail']),
    status: [inner['code'], inner['status'], root['status']].find((value) => typeof value === 'number') ?? 0,
  };
}

function mapping(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

const MOST_TEXT = 2000;

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value).slice(0, MOST_TEXT).toLowerCase() : '';
}
