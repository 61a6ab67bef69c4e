import type { FailureClass } from '#libs/platform/config.js';
import { ERROR_MATRIX } from './error-matrix.js';
import type { Failure } from './failure.js';
import { MovingAverage } from './moving-average.js';

export type BreakerState = 'closed' | 'open' | 'half_open';

/** Failures that open a breaker: at least so many in the window, and at least this share of its calls. */
const OPEN_AT_FAILURES = 5;
const OPEN_AT_SHARE = 0.5;
/** Two of these halves are looked at: failures are forgotten after 15 to 30 s. */
const HALF_WINDOW_MS = 15_000;
/** First cool-down after faults and of a target that cannot be used; doubled at each failed probe. */
const FAULT_COOL_MS = 10_000;
const UNUSABLE_COOL_MS = 30_000;
const MOST_COOL_MS = 300_000;
/** A probe that has no verdict after this long no longer keeps others from trying. */
const PROBE_MS = 120_000;

/** Told of every opening and closing that this process decided itself. */
export type StateListener = (target: TargetState, coolMs: number | null) => void;

/**
 * What this process knows of one target: its breaker, how it did lately, how busy it is. Synchronous and in memory; others'
 * decisions come in through `adopt…`. All times are the monotonic ms that the caller passes.
 */
export class TargetState {
  breaker: BreakerState = 'closed';
  /** When the breaker came into its state; 0: since the process began. */
  sinceMs = 0;
  /** While open: when it becomes half-open. */
  openUntilMs = 0;
  /** What opened it. */
  reason: FailureClass | null = null;
  /** Attempts under way. */
  inFlight = 0;
  /** To the first content of streams, and to the end of whole answers: neither says anything about the other. */
  readonly #firstContentMs = new MovingAverage();
  readonly #wholeMs = new MovingAverage();
  #openings = 0;
  /** The number of the latest probe, and until when it keeps others away. */
  #probe = 0;
  #probeUntilMs = 0;
  #windowAtMs = 0;
  #good = 0;
  #bad = 0;
  #goodBefore = 0;
  #badBefore = 0;

  constructor(
    /** `provider/model`. */
    readonly id: string,
    private readonly changed: StateListener = () => {},
  ) {}

  /** Whether a call may go there now: not while it cools down, and one at a time while it is tried out. */
  mayTry(nowMs: number): boolean {
    if (this.breaker === 'closed') return true;
    this.refresh(nowMs);
    return this.breaker === 'half_open' && this.#probeUntilMs <= nowMs;
  }

  /** Turns an open breaker whose time is over into a half-open one. */
  refresh(nowMs: number): void {
    if (this.breaker !== 'open' || nowMs < this.openUntilMs) return;
    this.#become('half_open', nowMs);
    this.#probeUntilMs = 0;
  }

  /** An attempt begins. Each ends in exactly one `end`. @returns the number of the probe it is, 0 when it is none */
  begin(nowMs: number): number {
    this.inFlight++;
    if (this.breaker !== 'half_open' || this.#probeUntilMs > nowMs) return 0;
    this.#probeUntilMs = nowMs + PROBE_MS;
    return ++this.#probe;
  }

  end(): void {
    if (this.inFlight > 0) this.inFlight--;
  }

  /**
   * The target answered as it should. `tookMs`: to the first content of a stream or the end of a whole answer; `null` when it
   * says nothing of its speed.
   */
  good(nowMs: number, tookMs: number | null, isStream = true): void {
    this.#roll(nowMs);
    this.#good++;
    if (tookMs !== null) (isStream ? this.#firstContentMs : this.#wholeMs).add(nowMs, tookMs);
    this.#mend(nowMs);
  }

  /** An attempt failed; who is to blame stands in the error matrix. `probe`: what `begin` returned. */
  bad(nowMs: number, failure: Failure, probe = 0): void {
    const { blame } = ERROR_MATRIX[failure.class];
    if (blame === 'none') return this.#unblamed(nowMs, failure.status, probe);
    this.#roll(nowMs);
    this.#bad++;
    const wasTried = this.breaker === 'half_open';
    if (blame === 'busy' && failure.retryAfterMs !== null && failure.retryAfterMs > 0) {
      return this.#open(nowMs, failure, Math.min(failure.retryAfterMs, MOST_COOL_MS));
    }
    // Calls that were under way when it opened, and those of models by themselves, do not lengthen its cool-down.
    if (this.breaker === 'open') return;
    if (blame === 'unusable') return this.#open(nowMs, failure, this.#coolMs(UNUSABLE_COOL_MS));
    const bad = this.#bad + this.#badBefore;
    const isTooMuch = bad >= OPEN_AT_FAILURES && bad >= OPEN_AT_SHARE * (bad + this.#good + this.#goodBefore);
    if (wasTried || isTooMuch) this.#open(nowMs, failure, this.#coolMs(FAULT_COOL_MS));
  }

  /** Another process opened the breaker. */
  adoptOpen(nowMs: number, coolMs: number, reason: FailureClass): void {
    const untilMs = nowMs + Math.min(Math.max(0, coolMs), MOST_COOL_MS);
    if (this.breaker === 'open' && this.openUntilMs >= untilMs) return;
    if (this.breaker !== 'open') this.#become('open', nowMs);
    this.openUntilMs = untilMs;
    this.reason = reason;
  }

  /** Another process has found it well. */
  adoptClosed(nowMs: number): void {
    if (this.breaker !== 'closed') this.#close(nowMs);
  }

  /** Share of failures lately, 0 to 1, and the number of calls it is of. */
  recent(nowMs: number): { readonly errorRate: number; readonly calls: number } {
    this.#roll(nowMs);
    const bad = this.#bad + this.#badBefore;
    const calls = bad + this.#good + this.#goodBefore;
    return { errorRate: calls === 0 ? 0 : bad / calls, calls };
  }

  /** Moving average of the time to the first content of streams, in ms; `null` before the first. */
  get latencyMs(): number | null {
    return this.#firstContentMs.value;
  }

  /** What a call there is expected to take, for comparison: the faded average, worse where there is a queue or errors. */
  expectedMs(nowMs: number, isStream = true): number {
    const faded = (isStream ? this.#firstContentMs : this.#wholeMs).faded(nowMs);
    return faded * (1 + this.inFlight) * (1 + 4 * this.recent(nowMs).errorRate);
  }

  /**
   * A mistake of the caller is an answer all the same: the target is well. One that left, or a refusal of ours, is none: was it
   * the probe, another call may be.
   */
  #unblamed(nowMs: number, status: number | null, probe: number): void {
    if (status !== null) this.#mend(nowMs);
    else if (probe !== 0 && probe === this.#probe) this.#probeUntilMs = 0;
  }

  #mend(nowMs: number): void {
    if (this.breaker !== 'half_open') return;
    this.#close(nowMs);
    this.changed(this, null);
  }

  #coolMs(firstMs: number): number {
    return Math.min(firstMs * 2 ** Math.min(this.#openings, 10), MOST_COOL_MS);
  }

  #open(nowMs: number, failure: Failure, coolMs: number): void {
    const untilMs = nowMs + coolMs;
    this.#probeUntilMs = 0;
    if (this.breaker === 'open' && this.openUntilMs >= untilMs) return;
    if (this.breaker !== 'open') {
      this.#openings++;
      this.#become('open', nowMs);
    }
    this.openUntilMs = untilMs;
    this.reason = failure.class;
    this.changed(this, coolMs);
  }

  #close(nowMs: number): void {
    this.#become('closed', nowMs);
    this.#openings = 0;
    this.reason = null;
    this.#probeUntilMs = 0;
    // What it did before its cool-down is no longer held against it.
    this.#bad = this.#badBefore = 0;
  }

  #become(state: BreakerState, nowMs: number): void {
    this.breaker = state;
    this.sinceMs = nowMs;
  }

  #roll(nowMs: number): void {
    const age = nowMs - this.#windowAtMs;
    if (age < HALF_WINDOW_MS) return;
    const isNext = age < 2 * HALF_WINDOW_MS;
    this.#goodBefore = isNext ? this.#good : 0;
    this.#badBefore = isNext ? this.#bad : 0;
    this.#good = this.#bad = 0;
    this.#windowAtMs = nowMs;
  }
}
