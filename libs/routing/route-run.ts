import type { TokenUsage } from '#libs/dialects/index.js';
import type { FailureAction } from '#libs/platform/config.js';
import type { StickyTargets } from './affinity.js';
import { backoffMs } from './backoff.js';
import { chooseTarget } from './choose-target.js';
import { failureOf, type Failure } from './failure.js';
import type { PlanStep, PlanTarget, RoutePlan } from './route-plan.js';

/** What a request brings along that decides where it may go. */
export interface RouteContext {
  /** When the request began, monotonic ms: its deadline counts from here. */
  readonly startedMs: number;
  /** The conversation it belongs to (`conversationKey`); `null`: none, or the plan does not use it. */
  readonly affinityKey: string | null;
  /**
   * Who made the answer that the request goes on from (`previous_response_id`), as `provider/model`: only it serves the request;
   * when the plan does not have it, the targets of its provider do, and without any of these it counts for nothing.
   */
  readonly pinned: string | null;
  /** The latency of a stream is that to its first content, of others that to their end. */
  readonly isStream: boolean;
  /** Whether a target can serve the call at all (operation, dialect); `null`: each can. */
  readonly canServe: ((target: PlanTarget) => boolean) | null;
}

/** One attempt, for the ledger and the headers. Filled in while it runs. */
export interface Attempt {
  /** From 1. */
  readonly number: number;
  readonly target: PlanTarget;
  /** Index of its step in the plan. */
  readonly step: number;
  readonly startedMs: number;
  /** How long to wait for its first content: the target's limit or what is left of the deadline. */
  readonly firstByteMs: number;
  /** The number of the probe of a half-open breaker that it is; 0: none. */
  readonly probe: number;
  /** When its first content was passed on; `null`: not yet, or never. */
  contentAtMs: number | null;
  endedMs: number | null;
  /** `null` while it runs and when it went well. */
  failure: Failure | null;
  /** What it reported, also when it failed: such usage is billed. */
  usage: TokenUsage | null;
}

/**
 * What to do after an attempt. `done`: it went well. `again`: wait, then ask `next()`. `give`: the caller gets this failure,
 * as the provider worded it.
 */
export type Verdict =
  | { readonly action: 'done' }
  | { readonly action: 'again'; readonly delayMs: number; readonly sameTarget: boolean }
  | { readonly action: 'give' };

const DONE: Verdict = { action: 'done' };
const GIVE: Verdict = { action: 'give' };
const AT_ONCE: Verdict = { action: 'again', delayMs: 0, sameTarget: false };

/** Nobody keeps a caller waiting longer than this for one provider's `Retry-After`. */
const MOST_WAIT_MS = 60_000;

/** What goes by before a first attempt is no wait cut short: else a target as slow as the deadline would never be blamed. */
const FULL_WAIT_SHARE = 0.9;
const OURS: Failure = failureOf('own_refusal');

/** A timer may fire so much early: who waited for a target as long as was said is let through. */
const TIMER_MS = 2;

const NO_TARGETS: ReadonlySet<PlanTarget> = new Set();

export interface RunParts {
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly sticky: StickyTargets;
}

/**
 * The way of one request through its plan: `next()` begins an attempt, `content()` says that the caller has begun to read,
 * and `succeeded()`, `failed()` or `left()` end it. Synchronous, without I/O and without a clock of its own: `nowMs` is
 * monotonic and never goes back. A run ends after at most `maxAttempts` attempts.
 */
export class RouteRun {
  /** In the order in which they were made. */
  readonly attempts: Attempt[] = [];
  #current: Attempt | null = null;
  #last: Failure | null = null;
  #again: PlanTarget | null = null;
  #spent: ReadonlySet<PlanTarget> = NO_TARGETS;
  /** After a context that was too long: only models with more than this. */
  #moreTokensThan: number | null = null;
  #needsLarger = false;
  #contentSent = false;
  #over = false;
  readonly #mayServe: ((target: PlanTarget) => boolean) | null;

  constructor(
    readonly plan: RoutePlan,
    readonly context: RouteContext,
    private readonly parts: RunParts,
  ) {
    this.#mayServe = context.pinned === null ? null : pinTo(plan, context.pinned);
  }

  /** The attempt to make now; `null` when none is left: the caller gets the last failure, or `refusalOf(run)` without one. */
  next(nowMs: number): Attempt | null {
    if (this.#current !== null) throw new Error('the attempt before has not been reported');
    const { plan, context, attempts } = this;
    const leftMs = context.startedMs + plan.retry.deadlineMs - nowMs;
    if (this.#over || attempts.length >= plan.retry.maxAttempts || leftMs <= 0) {
      this.#over = true;
      return null;
    }
    const chosen = this.#choose(nowMs);
    if (chosen === null) {
      this.#over = true;
      return null;
    }
    const { target } = chosen;
    const attempt: Attempt = {
      number: attempts.length + 1,
      target,
      step: chosen.step,
      startedMs: nowMs,
      firstByteMs: Math.max(1, Math.min(target.firstByteMs, leftMs)),
      probe: target.state.begin(nowMs),
      contentAtMs: null,
      endedMs: null,
      failure: null,
      usage: null,
    };
    attempts.push(attempt);
    this.#current = attempt;
    return attempt;
  }

  /** The attempt under way; `null` between attempts. */
  get current(): Attempt | null {
    return this.#current;
  }

  /** The first content goes to the caller: from here on only `after_content` of the chain can move the call. */
  content(nowMs: number): void {
    const attempt = this.#current;
    if (attempt === null || attempt.contentAtMs !== null) return;
    attempt.contentAtMs = nowMs;
    this.#contentSent = true;
    if (this.#judgesContent) this.#good(attempt, nowMs);
  }

  /** The attempt under way ended well. */
  succeeded(nowMs: number, usage: TokenUsage | null = null): Verdict {
    const attempt = this.#end(nowMs, usage);
    if (attempt !== null && (attempt.contentAtMs === null || !this.#judgesContent)) this.#good(attempt, nowMs);
    this.#over = true;
    return DONE;
  }

  /** The attempt under way failed. `usage`: what it reported all the same. */
  failed(nowMs: number, failure: Failure, usage: TokenUsage | null = null): Verdict {
    const attempt = this.#end(nowMs, usage);
    if (attempt === null || this.#over) return GIVE;
    attempt.failure = failure;
    this.#last = failure;
    attempt.target.state.bad(nowMs, this.#wasCutShort(attempt, failure) ? OURS : failure, attempt.probe);
    const verdict = this.#decide(this.#actionFor(failure), attempt, failure, nowMs);
    if (verdict.action === 'give') this.#over = true;
    return verdict;
  }

  /**
   * The attempt under way was not made after all: its target cannot be asked by this request (a limit of the gateway's own, or
   * what the request holds). Says nothing about the target, and counts as no attempt.
   */
  passedOver(): void {
    const attempt = this.#end(this.#current?.startedMs ?? 0, null);
    if (attempt === null) return;
    // Was it to be tried out, another call may do that.
    attempt.target.state.bad(attempt.startedMs, OURS, attempt.probe);
    this.attempts.pop();
    this.#spent = new Set(this.#spent).add(attempt.target);
  }

  /** The caller has gone, during an attempt or between two. Says nothing about any target. */
  left(nowMs: number, usage: TokenUsage | null = null): void {
    const attempt = this.#current;
    if (attempt !== null && attempt.contentAtMs !== null && !this.#judgesContent) this.#good(attempt, nowMs);
    if (attempt !== null) this.failed(nowMs, failureOf('caller_left'), usage);
    this.#over = true;
  }

  /**
   * In a chain first content is told apart from what only opens a stream, and from errors. Of a call that nobody else can take
   * it is the first event, whatever that is: its target is judged at the end.
   */
  get #judgesContent(): boolean {
    return this.plan.chain !== null;
  }

  #good({ target, startedMs, contentAtMs }: Attempt, nowMs: number): void {
    const { isStream } = this.context;
    if (contentAtMs === null) return target.state.good(nowMs, nowMs - startedMs, isStream);
    // A whole answer that is passed on before its end is a large one: how long that took says nothing.
    target.state.good(nowMs, isStream ? contentAtMs - startedMs : null);
  }

  #end(nowMs: number, usage: TokenUsage | null): Attempt | null {
    const attempt = this.#current;
    if (attempt === null) return null;
    attempt.endedMs = nowMs;
    attempt.usage = usage;
    attempt.target.state.end();
    this.#current = null;
    return attempt;
  }

  /** Other attempts, or the wait for admission, took the time that the target should have had. */
  #wasCutShort({ target, firstByteMs }: Attempt, failure: Failure): boolean {
    if (failure.class !== 'first_byte_timeout') return false;
    return firstByteMs < FULL_WAIT_SHARE * Math.min(target.firstByteMs, this.plan.retry.deadlineMs);
  }

  #actionFor(failure: Failure): FailureAction {
    const { actions } = this.plan;
    const isOurs = failure.class === 'own_refusal' || failure.class === 'caller_left';
    // Whatever ends an answer that is being read, the caller has half of it.
    if (this.#contentSent && !isOurs) return failure.class === 'late_stall' ? actions.late_stall : actions.late_cut;
    return actions[failure.class];
  }

  #decide(action: FailureAction, attempt: Attempt, failure: Failure, nowMs: number): Verdict {
    const { retry } = this.plan;
    const leftMs = this.context.startedMs + retry.deadlineMs - nowMs;
    if (action === 'give' || leftMs <= 0 || this.attempts.length >= retry.maxAttempts) return GIVE;
    if (action === 'retry') {
      const delayMs = this.#delayBeforeRetry(attempt, failure, nowMs, leftMs);
      if (delayMs !== null) {
        this.#again = attempt.target;
        return { action: 'again', delayMs, sameTarget: true };
      }
    }
    this.#spent = new Set(this.#spent).add(attempt.target);
    if (action === 'larger') {
      this.#needsLarger = true;
      this.#moreTokensThan = Math.max(this.#moreTokensThan ?? 0, attempt.target.contextTokens ?? Infinity);
    }
    return this.plan.steps.some((step) => this.#openIn(step, nowMs).length > 0) ? AT_ONCE : GIVE;
  }

  /** How long to wait for the same target; `null`: go on without it. */
  #delayBeforeRetry({ target }: Attempt, failure: Failure, nowMs: number, leftMs: number): number | null {
    const { retry, heedsBreakers, steps } = this.plan;
    let tries = 0;
    for (const attempt of this.attempts) if (attempt.target === target) tries++;
    if (tries >= retry.attemptsPerTarget) return null;
    const { retryAfterMs } = failure;
    const delayMs = backoffMs(tries, retry, retryAfterMs, this.parts.random);
    if (delayMs >= leftMs || delayMs > MOST_WAIT_MS) return null;
    if (retryAfterMs !== null && retryAfterMs > retry.maxBackoffMs) {
      const hasOther = steps.some((step) => this.#openIn(step, nowMs).some((one) => one !== target));
      if (hasOther) return null;
    }
    // Its breaker may have opened over this very failure.
    const isShut = heedsBreakers && target.state.breaker === 'open' && target.state.openUntilMs > nowMs + delayMs;
    return isShut ? null : delayMs;
  }

  #choose(nowMs: number): { readonly target: PlanTarget; readonly step: number } | null {
    const { steps, heedsBreakers, usesAffinity } = this.plan;
    const again = this.#again;
    this.#again = null;
    if (again !== null && (!heedsBreakers || again.state.mayTry(nowMs + TIMER_MS))) {
      return { target: again, step: this.attempts[this.attempts.length - 1]?.step ?? 0 };
    }
    for (let step = 0; step < steps.length; step++) {
      const current = steps[step] as PlanStep;
      const open = this.#openIn(current, nowMs);
      if (open.length === 0) continue;
      const { affinityKey, isStream } = this.context;
      const parts = { nowMs, isStream, affinityKey: usesAffinity ? affinityKey : null, ...this.parts };
      const target = chooseTarget(current, open, parts);
      return { target, step };
    }
    return null;
  }

  /** Targets of a step that may be tried now. */
  #openIn(step: PlanStep, nowMs: number): readonly PlanTarget[] {
    const { on, targets } = step;
    if (on !== null && (this.#last === null || !on.has(this.#last.class))) return [];
    // Whoever writes a step for too long contexts knows that its models are larger.
    const isMeant = on !== null && on.has('context_length');
    const isFree = (one: PlanTarget): boolean =>
      !this.#spent.has(one) &&
      (this.#mayServe?.(one) ?? true) &&
      (!this.#needsLarger || isMeant || (one.contextTokens ?? 0) > (this.#moreTokensThan ?? 0)) &&
      (this.context.canServe?.(one) ?? true) &&
      (!this.plan.heedsBreakers || one.state.mayTry(nowMs));
    // Nearly always all of them: then nothing is copied.
    return targets.every(isFree) ? targets : targets.filter(isFree);
  }
}

/** Which targets of a plan know an answer of `maker`; `null` when none of them can. */
function pinTo({ steps }: RoutePlan, maker: string): ((target: PlanTarget) => boolean) | null {
  const provider = maker.slice(0, maker.indexOf('/'));
  const isMaker = (one: PlanTarget): boolean => one.id === maker;
  const isOfProvider = (one: PlanTarget): boolean => one.target.provider.name === provider;
  return [isMaker, isOfProvider].find((test) => steps.some((step) => step.targets.some(test))) ?? null;
}
