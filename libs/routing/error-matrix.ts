import type { FailureAction, FailureClass } from '#libs/platform/config.js';

/**
 * What a failure says about the target. `fault`: counts towards opening its breaker. `unusable`: opens it at once, waiting
 * will not mend it soon. `busy`: it is to be left alone for as long as it asked; counts as a fault when it did not say.
 * `none`: says nothing about the target.
 */
export type Blame = 'none' | 'fault' | 'busy' | 'unusable';

export interface FailureRule {
  /** What is met, for the documentation. */
  readonly met: string;
  readonly action: FailureAction;
  readonly blame: Blame;
}

/**
 * The error matrix (RTE-2), as data. `docs/routing.md` shows it, `errors` of a chain overrides actions, nothing overrides who
 * is to blame: a caller's own mistake, a caller that leaves and a refusal of ours never count against a target.
 */
export const ERROR_MATRIX = {
  rate_limit: { met: '429', action: 'retry', blame: 'busy' },
  request_too_large: {
    met: '402, 413 or 429: this one request is larger than what the account may use at once',
    action: 'next',
    blame: 'none',
  },
  quota: { met: '402, or 429 that says the account is used up', action: 'next', blame: 'unusable' },
  request_timeout: { met: '408', action: 'retry', blame: 'fault' },
  server_error: { met: '5xx that is not below', action: 'retry', blame: 'fault' },
  overloaded: { met: '529, 503', action: 'retry', blame: 'busy' },
  connect: { met: 'connection refused or reset before the answer', action: 'retry', blame: 'fault' },
  dns: {
    met: "the provider's name cannot be looked up, or its address may not be called",
    action: 'next',
    blame: 'fault',
  },
  tls: { met: 'no trusted encrypted connection', action: 'next', blame: 'fault' },
  first_byte_timeout: { met: 'no answer in time', action: 'retry', blame: 'fault' },
  stall: { met: 'the answer stops before its first content', action: 'retry', blame: 'fault' },
  cut: { met: 'the answer breaks off before its first content', action: 'retry', blame: 'fault' },
  late_stall: { met: 'the answer stops after content', action: 'give', blame: 'fault' },
  late_cut: { met: 'the answer breaks off after content', action: 'give', blame: 'fault' },
  auth: { met: '401, or 403 about the credential or account of the gateway', action: 'next', blame: 'unusable' },
  unknown_model: { met: '403, 404, 410 about the model or deployment', action: 'next', blame: 'unusable' },
  invalid_request: {
    met: "400, 413, 422, other 4xx, and 403, 404, 410 about the caller's own file, container, prompt, stored answer …",
    action: 'give',
    blame: 'none',
  },
  context_length: { met: '400: the context is too long', action: 'larger', blame: 'none' },
  content_refusal: { met: '400: refused for its content', action: 'give', blame: 'none' },
  error_body: {
    met: 'an error that tells nothing more, under 200, 403, 404 or 410',
    action: 'next',
    blame: 'fault',
  },
  bad_answer: {
    met: 'wrong content type, JSON for a stream or a stream for JSON, no JSON or none of the dialect, a redirect, a compressed answer',
    action: 'next',
    blame: 'fault',
  },
  bad_output: {
    met: 'the model wrote what cannot be used: arguments of a tool that are no JSON, `MALFORMED_FUNCTION_CALL`',
    action: 'next',
    blame: 'none',
  },
  own_refusal: { met: 'a guardrail, budget or limit of the gateway', action: 'give', blame: 'none' },
  caller_left: { met: 'the caller has gone', action: 'give', blame: 'none' },
} as const satisfies Record<FailureClass, FailureRule>;

/** What is done about each class, with the overrides of one chain. */
export type ActionTable = Readonly<Record<FailureClass, FailureAction>>;

export function actionTable(
  overrides: Readonly<Partial<Record<FailureClass, FailureAction>>>,
  afterContent: 'give' | 'next',
): ActionTable {
  const table = {} as Record<FailureClass, FailureAction>;
  for (const [name, { action }] of Object.entries(ERROR_MATRIX)) {
    table[name as FailureClass] = overrides[name as FailureClass] ?? action;
  }
  return {
    ...table,
    late_stall: afterContent,
    late_cut: afterContent,
    own_refusal: ERROR_MATRIX.own_refusal.action,
    caller_left: ERROR_MATRIX.caller_left.action,
  };
}
