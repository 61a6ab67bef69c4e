import type { DialectName } from '#libs/dialects/index.js';
import type { FailureClass } from '#libs/platform/config.js';

/** What error bodies of all dialects say, in one form. All texts in lower case; empty when absent. */
export interface SaidError {
  /** `error.type`, `error.status` (Google) or the type of an AWS exception. */
  readonly type: string;
  /** `error.code`, and what Google and Azure nest below `details` and `innererror`. */
  readonly code: string;
  /** The field of the request that is at fault (OpenAI). */
  readonly param: string;
  readonly message: string;
  /** A number given as `error.code` or `error.status`; 0 without one. */
  readonly status: number;
}

/** One line of a dialect's rules: all that is given must fit. The first line that fits decides. */
export interface Rule {
  /** 200: an error under a good status, in a whole answer or an event of a stream. */
  readonly statuses?: readonly number[];
  readonly type?: RegExp;
  readonly code?: RegExp;
  readonly message?: RegExp;
  /** `as-named`: what the error is about decides, see `classNamed`. */
  readonly is: FailureClass | 'as-named';
}

// Classes that open a breaker (quota, auth, unknown_model) go by codes, or by words at the start of a message: providers repeat
// the caller's own text further on in it.
const TOO_LONG =
  /maximum context length|context[ _-]?(length|window|size)|prompt is too long|input is too long|too many (input )?tokens|token count .*exceeds|exceeds? the (maximum|model'?s) .*(token|context)|input length and .?max_tokens.? exceed/;
const USED_UP =
  /^(your )?credit balance is too low|^you (have )?exceeded your current quota|^insufficient (funds|balance|credits)|^you have reached your specified api usage limits|^billing (hard|not active)|^this api method requires billing/;
const REFUSED =
  /content management policy|content[ _-]filter|safety (system|settings|policy)|usage polic(y|ies)|flagged/;

/** Status 400 and its like, where the text alone tells the cases apart. */
const OF_THE_REQUEST = [400, 413, 422];

/**
 * OpenAI, Azure and the many servers that speak like them (vLLM, llama.cpp, Ollama, LiteLLM …). Codes of failed responses:
 * openai-python, `types/responses/response_error.py`. "Request too large": vanna-ai/vanna-flask#11. `model_error`:
 * BerriAI/litellm#8020. `tool_use_failed` (Groq): groq/groq-typescript#28.
 */
const OPENAI_RULES: readonly Rule[] = [
  { code: /insufficient_quota|billing_hard_limit|billing_not_active/, is: 'quota' },
  { type: /insufficient_quota|billing/, is: 'quota' },
  { statuses: [400, 402, 403, 429], message: USED_UP, is: 'quota' },
  { statuses: [200, 413, 429], message: /^request too large for /, is: 'request_too_large' },
  // OpenRouter: more than what is left pays for, and features that no host of the model has.
  { statuses: [402], message: /^this request requires more credits, or fewer max_tokens/, is: 'request_too_large' },
  { statuses: [404], message: /^no endpoints found that (support|can handle) /, is: 'invalid_request' },
  { code: /context_length_exceeded|exceed_context_size|string_above_max_length/, is: 'context_length' },
  { type: /exceed_context_size/, is: 'context_length' },
  { statuses: OF_THE_REQUEST, message: TOO_LONG, is: 'context_length' },
  {
    code: /content_filter|content_policy_violation|responsibleai|moderation_blocked|(bio|cyber)_policy/,
    is: 'content_refusal',
  },
  { statuses: [200, 400, 403], message: REFUSED, is: 'content_refusal' },
  { type: /model_error/, is: 'bad_output' },
  { code: /tool_use_failed|json_validate_failed/, is: 'bad_output' },
  { code: /model_not_found|deploymentnotfound|unknown_model/, is: 'unknown_model' },
  { code: /invalid_api_key|unsupported_country_region_territory/, is: 'auth' },
  { statuses: [200], code: /rate_limit/, is: 'rate_limit' },
  { statuses: [200], type: /rate_limit/, is: 'rate_limit' },
  { statuses: [200], type: /overloaded/, is: 'overloaded' },
  { statuses: [200], code: /overloaded|slow_down/, is: 'overloaded' },
  { statuses: [200], code: /invalid_prompt|image|previous_response_not_found/, is: 'invalid_request' },
  { statuses: [200], type: /server_error|internal/, is: 'server_error' },
  { statuses: [200], type: /invalid_request/, is: 'invalid_request' },
];

/** https://docs.claude.com/en/api/errors, and Bedrock's exceptions, whose body is `{"message"}`. */
const ANTHROPIC_RULES: readonly Rule[] = [
  { statuses: [200, 400, 402, 403, 429], message: USED_UP, is: 'quota' },
  { type: /billing_error/, is: 'quota' },
  { type: /overloaded_error/, is: 'overloaded' },
  { type: /rate_limit_error|throttling/, is: 'rate_limit' },
  { type: /timeout_error|modeltimeout/, is: 'request_timeout' },
  { type: /api_error|internalserver|modelerror|serviceunavailable/, is: 'server_error' },
  { type: /authentication_error|unrecognizedclient|expiredtoken/, is: 'auth' },
  { type: /permission_error|accessdenied|not_found_error|resourcenotfound/, is: 'as-named' },
  { statuses: OF_THE_REQUEST, message: TOO_LONG, is: 'context_length' },
  { statuses: [200], message: TOO_LONG, is: 'context_length' },
  { statuses: [200, 400], message: REFUSED, is: 'content_refusal' },
  {
    statuses: [400],
    message: /^the provided model identifier is invalid|^invocation of model id \S+ with on-demand throughput/,
    is: 'unknown_model',
  },
  { statuses: [200], type: /invalid_request_error|request_too_large|validation/, is: 'invalid_request' },
];

/** https://ai.google.dev/gemini-api/docs/troubleshooting; `status` of google.rpc.Code. */
const GEMINI_RULES: readonly Rule[] = [
  {
    code: /api_key_invalid|api_key_expired|api_key_(service|http_referrer|ip_address)_blocked|service_disabled|consumer_/,
    is: 'auth',
  },
  { message: /^api key (not valid|expired|not found)/, is: 'auth' },
  // Google words every 429 as a used-up quota, also that of one minute.
  { type: /resource_exhausted/, is: 'rate_limit' },
  { statuses: [403], message: USED_UP, is: 'quota' },
  { type: /unauthenticated/, is: 'auth' },
  { type: /permission_denied|not_found/, is: 'as-named' },
  { type: /deadline_exceeded/, is: 'request_timeout' },
  { type: /unavailable/, is: 'overloaded' },
  { type: /^internal|unknown|aborted|data_loss/, is: 'server_error' },
  { statuses: [400, 200], message: TOO_LONG, is: 'context_length' },
  { statuses: [400, 200], message: REFUSED, is: 'content_refusal' },
  { statuses: [400], message: /^user location is not supported|^gemini api free tier is not available/, is: 'auth' },
  { type: /invalid_argument|failed_precondition|out_of_range/, is: 'invalid_request' },
];

export const RULES: Readonly<Record<DialectName, readonly Rule[]>> = {
  openai: OPENAI_RULES,
  anthropic: ANTHROPIC_RULES,
  gemini: GEMINI_RULES,
};

/**
 * What a 403, 404 or 410 may be about; the first that is named decides. A thing of the caller's own says nothing about the
 * target, and one request of one caller must not close a target for everybody. Sources, as providers word them:
 * - OpenAI "Item with id 'rs_…' not found" (vercel/ai#7543), "File cfile_… not found on container cntr_…"
 *   (sbslee/streamlit-openai#18), "The model `x` does not exist or you do not have access to it" (langgenius/dify#13036);
 * - Gemini "You do not have permission to access the File x or it may not exist" (googleapis/python-genai#1218), "CachedContent
 *   not found (or permission denied)", "models/x is not found for API version v1beta" (google/adk-python#200);
 * - Vertex "Publisher Model `…` was not found" (google-gemini/gemini-cli#1053), "Permission 'aiplatform.endpoints.predict'
 *   denied" with the reason IAM_PERMISSION_DENIED (rpurinton/gemini-php#4);
 * - Anthropic "model: x"; "Your API key does not have permission to use the specified resource" (docs, errors).
 */
const CALLERS =
  'c?files?|containers?|vector[ _-]?stores?|prompts?|cached?[ _-]?contents?|previous[ _]responses?|responses? with id|' +
  'conversations?|items?|skills?|rag[ _]?corp(?:us|ora)|file[ _-]?search[ _-]?stores?|data[ _-]?stores?|buckets?|' +
  'cloud storage|storage\\.objects?|documents?|images?|connectors?|mcp';
const MODELS = 'models?|deployments?|engines?|endpoints?|inference profiles?';
const ACCOUNTS =
  'api[ _-]?keys?|credentials?|accounts?|organi[sz]ations?|projects?|scopes?|region|country|territory|principal|' +
  'subscription|not authorized|unregistered callers|authenticat[a-z]+|security token|signature|public access|firewall|' +
  'iam_permission_denied';
const NAMED = new RegExp(`(?<![a-z])(?:(?<callers>${CALLERS})|(?<models>${MODELS})|(?<accounts>${ACCOUNTS}))(?![a-z])`);

/** Names that callers choose stand in quotes. */
const QUOTED = /(?<!\w)(['"`]).*?\1(?!\w)/g;

/** The class of a 403, 404 or 410 by what it is about; one that names nothing is an error that tells nothing more. */
export function classNamed({ param, code, message }: SaidError): FailureClass {
  if (param !== '') return param === 'model' ? 'unknown_model' : 'invalid_request';
  const about = NAMED.exec(`${message.replace(QUOTED, '')} ${code}`)?.groups;
  if (about === undefined) return /^permission 'aiplatform\./.test(message) ? 'auth' : 'error_body';
  if (about['callers'] !== undefined) return 'invalid_request';
  return about['models'] === undefined ? 'auth' : 'unknown_model';
}
