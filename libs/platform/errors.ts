/**
 * The one catalogue of errors the product itself produces. Each dialect renders them in its own shape
 * (`libs/dialects/<dialect>/errors.ts`), the admin API as RFC 9457 problems. Upstream error bodies are never wrapped in these.
 *
 * `kind` groups codes for the renderers, `status` is the HTTP status (a dialect may differ, e.g. `model_not_found`),
 * `text` is the public sentence used when the thrower gives none.
 */
interface CatalogueEntry {
  readonly kind:
    | 'caller'
    | 'auth'
    | 'forbidden'
    | 'not_found'
    | 'conflict'
    | 'too_large'
    | 'rate'
    | 'upstream'
    | 'unavailable'
    | 'internal';
  readonly status: number;
  readonly text: string;
}

export const ERRORS = {
  // the request itself
  invalid_json: { kind: 'caller', status: 400, text: 'The request body is not valid JSON.' },
  invalid_request: { kind: 'caller', status: 400, text: 'The request is invalid.' },
  json_too_deep: { kind: 'caller', status: 400, text: 'The request body is nested too deeply (at most 64 levels).' },
  model_missing: {
    kind: 'caller',
    status: 400,
    text: 'The request names no model: "model" must be a non-empty string.',
  },
  wrong_dialect: { kind: 'caller', status: 400, text: 'The model cannot be reached through this route.' },
  bad_path: { kind: 'caller', status: 400, text: 'The request path is malformed or contains encoded separators.' },
  body_too_large: { kind: 'too_large', status: 413, text: 'The request body is too large.' },
  unsupported_encoding: { kind: 'caller', status: 415, text: 'Compressed request bodies are not accepted.' },
  unsupported_media_type: {
    kind: 'caller',
    status: 415,
    text: 'The Content-Type header is malformed; send application/json.',
  },
  route_not_found: { kind: 'not_found', status: 404, text: 'There is no such route.' },
  not_found: { kind: 'not_found', status: 404, text: 'There is no such object.' },
  method_not_allowed: { kind: 'caller', status: 405, text: 'This method is not allowed here.' },
  conflict: { kind: 'conflict', status: 409, text: 'The object was changed or exists already.' },
  file_owned: {
    kind: 'conflict',
    status: 409,
    text: 'This object is declared in the configuration file and can only be changed there.',
  },
  // who is calling
  key_missing: { kind: 'auth', status: 401, text: 'No API key was sent.' },
  key_conflict: { kind: 'auth', status: 401, text: 'The request carries two different API keys.' },
  key_invalid: { kind: 'auth', status: 401, text: 'The API key is not valid.' },
  key_expired: { kind: 'auth', status: 401, text: 'The API key has expired.' },
  key_revoked: { kind: 'auth', status: 401, text: 'The API key has been revoked.' },
  not_signed_in: { kind: 'auth', status: 401, text: 'Sign in or send an API token.' },
  // what they may do
  model_not_found: { kind: 'not_found', status: 404, text: 'The model does not exist or this key may not use it.' },
  key_unusable: {
    kind: 'forbidden',
    status: 403,
    text: 'This key cannot be used as it is set up: an admin has to change it.',
  },
  route_not_allowed: { kind: 'forbidden', status: 403, text: 'This key may not use this route.' },
  permission_denied: { kind: 'forbidden', status: 403, text: 'You may not do this.' },
  model_unpriced: { kind: 'forbidden', status: 403, text: 'No price is known for this model, so it may not be used.' },
  // how much they may use
  rate_limit_exceeded: { kind: 'rate', status: 429, text: 'A rate limit is reached.' },
  budget_exceeded: { kind: 'rate', status: 429, text: 'A budget is used up.' },
  cost_unbounded: {
    kind: 'forbidden',
    status: 403,
    text: 'What this request may cost has no upper bound, so it may not be made under a hard budget.',
  },
  // the upstream
  upstream_unreachable: { kind: 'upstream', status: 502, text: 'The model provider could not be reached.' },
  upstream_invalid: {
    kind: 'upstream',
    status: 502,
    text: 'The model provider sent an answer that cannot be understood.',
  },
  upstream_bad_output: {
    kind: 'upstream',
    status: 502,
    text: 'The model wrote something that cannot be used.',
  },
  upstream_credentials: {
    kind: 'upstream',
    status: 502,
    text: 'The gateway could not get its credentials for the model provider.',
  },
  upstream_timeout: { kind: 'upstream', status: 504, text: 'The model provider did not answer in time.' },
  upstream_cut: { kind: 'upstream', status: 502, text: 'The model provider broke off its answer.' },
  upstream_failed: { kind: 'upstream', status: 502, text: 'The model provider ended its answer with an error.' },
  upstream_stalled: { kind: 'upstream', status: 504, text: 'The model provider stopped sending.' },
  no_target_available: { kind: 'unavailable', status: 503, text: 'No provider that could serve this is available.' },
  // ourselves
  overloaded: { kind: 'unavailable', status: 503, text: 'The gateway cannot take more work right now.' },
  store_unavailable: { kind: 'unavailable', status: 503, text: 'A store the gateway needs is not available.' },
  draining: { kind: 'unavailable', status: 503, text: 'The gateway is shutting down.' },
  internal: { kind: 'internal', status: 500, text: 'The gateway met an unexpected error.' },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof ERRORS;
export type ErrorKind = CatalogueEntry['kind'];

export interface AppErrorOptions {
  /** Sentence for the caller; the catalogue's text when absent. Never contains secrets, hosts or stacks. */
  readonly text?: string;
  /** Name of the field or parameter at fault, e.g. `messages[0].content`. */
  readonly param?: string;
  /** Several faults at once (admin API): each with the path of its field. */
  readonly faults?: readonly { readonly path: string; readonly message: string }[];
  /** When the same request may be sent again, in seconds (1 to 60): goes out as `retry-after`. */
  readonly retryAfterS?: number;
  /** For the log only. */
  readonly cause?: unknown;
}

/** An error the product may show: a code of the catalogue, a public text, and a cause that only the log sees. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly param: string | null;
  readonly retryAfterS: number | null;
  readonly faults: readonly { readonly path: string; readonly message: string }[];
  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    super(options.text ?? ERRORS[code].text, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.param = options.param ?? null;
    this.retryAfterS = options.retryAfterS ?? null;
    this.faults = options.faults ?? [];
  }
  get status(): number {
    return ERRORS[this.code].status;
  }
  get kind(): ErrorKind {
    return ERRORS[this.code].kind;
  }
  /** Anchor of the error in `docs/errors.md`. */
  get docsAnchor(): string {
    return `docs/errors.md#${this.code}`;
  }
}
