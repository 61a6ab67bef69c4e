import { FAILURE_CLASSES, type FailureClass } from '#libs/platform/config.js';
import { classifyAnswer } from './classify-answer.js';
import type { Failure } from './failure.js';
import { failureOf } from './failure.js';
import { refusalOf } from './refusal.js';
import type { Attempt } from './route-run.js';
import { RouteRun, type RouteContext, type Verdict } from './route-run.js';
import { StickyTargets } from './affinity.js';
import type { RoutePlan } from './route-plan.js';

/** One error of a dry run: a status, the name of a class or of a usual error, or an answer in detail. */
export type SimulatedError =
  | number
  | string
  | {
      readonly status?: number;
      readonly class?: string;
      /** Body of the error answer, as text or JSON. */
      readonly body?: unknown;
      readonly retry_after_s?: number;
    };

/** Usual names of errors, beside the classes themselves. */
const NAMES: Readonly<Record<string, FailureClass>> = {
  timeout: 'first_byte_timeout',
  connection: 'connect',
  connection_error: 'connect',
  connection_refused: 'connect',
  reset: 'connect',
  econnrefused: 'connect',
  econnreset: 'connect',
  dns_failure: 'dns',
  tls_failure: 'tls',
  rate_limited: 'rate_limit',
  context_window: 'context_length',
  refusal: 'content_refusal',
  content_filter: 'content_refusal',
  client_gone: 'caller_left',
  guardrail: 'own_refusal',
  budget: 'own_refusal',
};

/** Names that `errors` of a dry run may hold. */
export const SIMULATED_NAMES: readonly string[] = [...FAILURE_CLASSES, ...Object.keys(NAMES)];

export interface SimulatedAttempt {
  readonly attempt: Attempt;
  /** ms since the request began. */
  readonly atMs: number;
  readonly error: SimulatedError | null;
  readonly verdict: Verdict;
}

export interface Simulation {
  readonly run: RouteRun;
  readonly path: readonly SimulatedAttempt[];
  /** `unavailable`: no attempt could be made. */
  readonly outcome: 'served' | 'failed' | 'unavailable';
  /** Errors of the sequence that were not met any more. */
  readonly unusedErrors: number;
  /** What the caller would be told where there is no provider's answer to give. */
  readonly refusal: string | null;
  readonly durationMs: number;
}

/** How long a simulated answer takes. */
const ANSWER_MS = 100;

/** Why a simulated error cannot be used; `null` when it can. */
export function faultOfError(error: unknown): string | null {
  if (typeof error === 'number') return isStatus(error) ? null : 'must be a status from 200 to 599';
  if (typeof error === 'string')
    return classNamed(error) === null ? `must be one of ${SIMULATED_NAMES.join(', ')}` : null;
  if (typeof error !== 'object' || error === null || Array.isArray(error)) {
    return 'must be a status, the name of an error, or an object with status or class';
  }
  const { status, class: name, retry_after_s: retryAfterS } = error as Record<string, unknown>;
  if (status === undefined && name === undefined) return 'needs a status or a class';
  if (status !== undefined && !isStatus(status)) return 'status must be from 200 to 599';
  if (name !== undefined && (typeof name !== 'string' || classNamed(name) === null))
    return 'class is none of those known';
  if (retryAfterS !== undefined && !(typeof retryAfterS === 'number' && retryAfterS >= 0 && retryAfterS <= 86_400)) {
    return 'retry_after_s must be from 0 to 86400';
  }
  return null;
}

/**
 * Goes a request's way through its plan with the engine that real calls use: the n-th attempt meets the n-th error, the one
 * after the last goes well. Time is made up; nothing is sent and nothing is noted about any target, provided the plan was
 * compiled with states of its own.
 *
 * @param random 0 ≤ x < 1, for jitter and weighted choices
 */
export function simulate(
  plan: RoutePlan,
  context: Omit<RouteContext, 'startedMs'>,
  errors: readonly SimulatedError[],
  random: () => number,
  startedMs = 1,
): Simulation {
  const run = new RouteRun(plan, { ...context, startedMs }, { random, sticky: new StickyTargets() });
  const path: SimulatedAttempt[] = [];
  let nowMs = startedMs;
  for (;;) {
    const attempt = run.next(nowMs);
    if (attempt === null) break;
    const error = errors[path.length] ?? null;
    const atMs = nowMs - startedMs;
    const failure = error === null ? null : failureFrom(error, attempt);
    nowMs += failure === null ? ANSWER_MS : durationOf(failure, attempt);
    if (failure !== null && isLate(failure.class)) run.content(nowMs);
    const verdict = failure === null ? run.succeeded(nowMs) : run.failed(nowMs, failure);
    path.push({ attempt, atMs, error, verdict });
    if (verdict.action !== 'again') break;
    nowMs += verdict.delayMs;
  }
  const outcome =
    path.length === 0 ? 'unavailable' : path[path.length - 1]?.verdict.action === 'done' ? 'served' : 'failed';
  return {
    run,
    path,
    outcome,
    unusedErrors: Math.max(0, errors.length - path.length),
    refusal: outcome === 'unavailable' ? refusalOf(run, nowMs).message : null,
    durationMs: nowMs - startedMs,
  };
}

/** Numbers between 0 and 1 that are the same for the same seed (mulberry32): a dry run can be repeated. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

function failureFrom(error: SimulatedError, { target }: Attempt): Failure {
  if (typeof error === 'string') return failureOf(classNamed(error) ?? 'server_error');
  const {
    status = null,
    class: name,
    body,
    retry_after_s: retryAfterS,
  } = typeof error === 'number' ? { status: error } : error;
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const [dialect = 'openai'] = target.target.provider.dialects;
  const named = name === undefined ? null : classNamed(name);
  return {
    class: named ?? classifyAnswer(dialect, status ?? 500, Buffer.from(text)),
    status,
    retryAfterMs: retryAfterS === undefined ? null : retryAfterS * 1000,
  };
}

/** What did not come in time took all the time there was. */
function durationOf({ class: failureClass }: Failure, { target, firstByteMs }: Attempt): number {
  if (failureClass === 'first_byte_timeout') return firstByteMs;
  return failureClass === 'stall' || failureClass === 'late_stall' ? target.idleMs : ANSWER_MS;
}

function isLate(failureClass: FailureClass): boolean {
  return failureClass === 'late_cut' || failureClass === 'late_stall';
}

function classNamed(name: string): FailureClass | null {
  const lower = name.toLowerCase();
  if ((FAILURE_CLASSES as readonly string[]).includes(lower)) return lower as FailureClass;
  return Object.hasOwn(NAMES, lower) ? (NAMES[lower] as FailureClass) : null;
}

function isStatus(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 200 && (value as number) <= 599;
}
