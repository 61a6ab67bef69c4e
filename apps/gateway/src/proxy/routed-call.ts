import { nanosToUsd } from '#libs/ledger/index.js';
import type { LimitTicket } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';
import { refusalOf, type Attempt, type RouteRun } from '#libs/routing/index.js';
import type { ActiveCall } from './active-calls.js';
import { admitTarget } from './admit.js';
import { billAttempt } from './bill-attempt.js';
import { CallerAnswer } from './caller-answer.js';
import type { ClientGoneEnd } from './client-gone.js';
import type { DataPlane } from './data-plane.js';
import type { AbortReason, Ending, FailedAnswer, PassedAnswer, WholeAnswer } from './ending.js';
import type { Exchange } from './exchange.js';
import { prepareAttempt } from './prepare-attempt.js';
import type { Reading } from './read.js';
import { rememberAnswer } from './remember-answer.js';
import { refuse, tellFailure } from './refuse.js';
import { budgetHeaders } from './response-headers.js';
import { send } from './send.js';
import { freedNanos, NO_BILL, priceOf, settle, tokensUsed, type Bill, type Outcome } from './settle.js';
import type { UpstreamAttempt } from './upstream-attempt.js';
import { UpstreamCall } from './upstream-call.js';

/**
 * Where a routed call stands:
 *
 *     choosing ──▶ trying ──▶ over          answered, passed on, given up, or the caller left
 *        ▲           │
 *        └─ billing ◀┘                      failed, and another attempt may follow
 */
type State =
  /** A target is chosen, room in its limits or the end of a pause is waited for; in `trying` an attempt is under way. */
  | 'choosing'
  | 'trying'
  /** A failed attempt gets its own row before the next one: whatever ends the call now waits for that. */
  | 'billing'
  /** Settled. What is reported now comes too late. */
  | 'over';

/** An attempt that failed. */
interface Failed extends FailedAnswer {
  readonly call: UpstreamCall;
}

/**
 * Stage 8: one request on its way through its plan, attempt by attempt, until an answer is passed on or nobody is left to
 * ask. Each `UpstreamCall` reads one upstream's answer and reports here; only the current one is heard. Where an attempt was
 * made every way ends in `#end`, in exactly one row, also when the caller has left or a report breaks; else in `#giveUp`.
 */
export class RoutedCall implements ActiveCall {
  readonly exchange: Exchange;
  readonly plane: DataPlane;
  readonly run: RouteRun;
  readonly answer: CallerAnswer;
  readonly #reading: Reading;
  activeAt = -1;
  deadlineMs = 0;
  /** Since when the caller has not read on (monotonic ms); `null` while it reads. */
  pausedSinceMs: number | null = null;
  #state: State = 'choosing';
  /** While trying. */
  #current: UpstreamCall | null = null;
  /** The latest attempt that failed and was booked: what it has for the caller, should nobody else take the call. */
  #last: Failed | null = null;
  /** Why the latest target could not be asked at all. */
  #unfit: unknown = null;
  /** Pause before the next attempt, or the time an attempt has to its first content. */
  #timer: NodeJS.Timeout | null = null;
  #abortReason: AbortReason | null = null;
  /** The caller left and the answer is read for its usage alone: nothing is written any more. */
  #isDraining = false;
  /** Bytes that may still come while draining. */
  #drainableBytes = 0;

  constructor(exchange: Exchange, reading: Reading, plane: DataPlane, run: RouteRun) {
    this.exchange = exchange;
    this.plane = plane;
    this.run = run;
    this.answer = new CallerAnswer(exchange, plane);
    this.#reading = reading;
  }

  start(): void {
    this.deadlineMs = this.exchange.startedMs + this.run.plan.retry.deadlineMs;
    this.plane.active.add(this);
    this.exchange.response.on('close', this.#onClientClose);
    this.#choose();
  }

  // ---- choosing ----

  /** Asks for target after target until an attempt is under way; without any left the call is over. */
  #choose(): void {
    this.#state = 'choosing';
    this.#clearTimer();
    try {
      for (;;) {
        const planned = this.run.next(performance.now());
        if (planned === null) return this.#giveUp();
        const room = admitTarget(this.exchange, this.#reading, planned.target, this.plane);
        if (room !== null) return this.#tryWhenAdmitted(planned, room);
        if (this.#try(planned, null)) return;
      }
    } catch (error) {
      this.#broken(error, NO_BILL);
    }
  }

  #tryWhenAdmitted(planned: Attempt, room: Promise<LimitTicket>): void {
    void room.then(
      (ticket) => {
        if (this.run.current !== planned) return ticket.cancel(); // the call has ended meanwhile
        if (!this.#try(planned, ticket)) this.#choose();
      },
      (error: unknown) => this.unfit({ planned, ticket: null }, error),
    );
  }

  /** Whether the attempt is under way; else its target cannot be asked, and the next one may. */
  #try(planned: Attempt, ticket: LimitTicket | null): boolean {
    const { exchange, plane } = this;
    try {
      const { attempt, sending } = prepareAttempt(exchange, this.#reading, planned, ticket);
      this.deadlineMs = Math.max(this.deadlineMs, exchange.startedMs + sending.provider.timeouts.totalMs);
      const call = new UpstreamCall(this, attempt);
      exchange.attempt = attempt;
      this.#current = call;
      this.#state = 'trying';
      if (this.run.plan.chain !== null) {
        this.#timer = setTimeout(() => call.abort('upstream_timeout'), planned.firstByteMs);
      }
      send(sending, plane, call);
      return true;
    } catch (error) {
      this.#passOver(error, ticket);
      return false;
    }
  }

  #passOver(error: unknown, ticket: LimitTicket | null): void {
    this.#clearTimer();
    this.#state = 'choosing';
    this.#current = null;
    this.#unfit = error;
    this.exchange.attempt = this.#last?.call.attempt ?? null;
    ticket?.cancel();
    this.run.passedOver();
  }

  /** A target cannot be asked, as is known late: it has no room, or its call could not be signed. Nothing was sent. */
  unfit({ planned, ticket }: Pick<UpstreamAttempt, 'planned' | 'ticket'>, error: unknown): void {
    if (this.run.current !== planned) return;
    this.#passOver(error, ticket);
    this.#choose();
  }

  /** Nobody is left to ask. Without an attempt that was booked there is no row. */
  #giveUp(): void {
    if (this.#last !== null) return this.#deliver(this.#last, NO_BILL);
    this.#leave();
    try {
      refuse(this.exchange, this.plane, this.#unfit ?? refusalOf(this.run, performance.now()));
    } finally {
      this.plane.active.delete(this);
    }
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  // ---- trying: what the current attempt reports ----

  /** The answer is one that comes as a whole: from here on only the pause between its chunks is bounded. */
  answerHasBegun(call: UpstreamCall): void {
    if (call === this.#current) this.#clearTimer();
  }

  content(call: UpstreamCall): void {
    if (call !== this.#current) return;
    this.#clearTimer();
    this.run.content(performance.now());
  }

  /** Passes on a part of an answer. */
  write(call: UpstreamCall, bytes: Buffer): void {
    if (call !== this.#current || this.#isDraining) return;
    if (!this.answer.write(call, bytes)) this.#pause(call);
  }

  answered(call: UpstreamCall, { status, headers, body, usage, received }: WholeAnswer): void {
    if (call !== this.#current) return;
    const { exchange, plane } = this;
    try {
      this.run.succeeded(performance.now(), usage);
      rememberAnswer(exchange, plane, received);
      const price = priceOf(exchange, plane, usage);
      if (price.priceVersion !== null) headers['x-smartflow-cost-usd'] = nanosToUsd(BigInt(price.costNanos));
      if (!this.#isDraining) {
        Object.assign(headers, budgetHeaders(exchange, plane, freedNanos(exchange, usage, price)));
        this.answer.writeWhole(status, headers, body);
      }
      this.#end({ usage, price, complete: true, error: null, sent: call.isSent });
    } catch (error) {
      this.#broken(error, { usage, complete: true, sent: call.isSent });
    }
  }

  ended(call: UpstreamCall, { usage, head, isWhole, failure }: PassedAnswer): void {
    if (call !== this.#current) return;
    const error = failure === null ? null : 'upstream_failed';
    const complete = error === null && isWhole;
    try {
      if (failure === null) this.run.succeeded(performance.now(), usage);
      else this.run.failed(performance.now(), failure, usage);
      if (head !== null) rememberAnswer(this.exchange, this.plane, head);
      if (!this.#isDraining) this.answer.close(call);
      this.#end({ usage, complete, error, sent: call.isSent });
    } catch (thrown) {
      this.#broken(thrown, { usage, complete, sent: call.isSent });
    }
  }

  failed(call: UpstreamCall, answer: FailedAnswer): void {
    if (call !== this.#current) return;
    const { usage, isWhole } = answer;
    const bill = { usage, complete: isWhole, sent: call.isSent };
    this.#clearTimer();
    try {
      if (this.#isDraining || this.#abortReason === 'client_gone') {
        this.run.left(performance.now(), usage);
        // Many clients close as soon as they have read the last event: then nothing is missing.
        const complete = isWhole || call.attempt.isComplete();
        return this.#end({ ...bill, complete, error: complete ? null : 'client_gone' });
      }
      const failed = { ...answer, call };
      const verdict = this.run.failed(performance.now(), answer.failure, usage);
      this.#note(failed);
      const mayGoOn = verdict.action === 'again' && this.#abortReason === null && this.answer.mayMove;
      if (!mayGoOn) return this.#deliver(failed, bill);
      this.#bill(failed, bill, verdict.delayMs);
    } catch (error) {
      this.#broken(error, bill);
    }
  }

  #note({ call, ending, failure }: Failed): void {
    const { exchange, plane } = this;
    if (ending.kind === 'answer' && this.run.plan.chain === null) return;
    const { target, planned } = call.attempt;
    const told = { requestId: exchange.id, provider: target.provider.name, attempt: planned.number };
    const error = ending.kind === 'error' ? { code: ending.error.code, err: ending.error.cause } : {};
    plane.log.warn({ ...told, class: failure.class, status: failure.status, ...error }, 'an upstream call failed');
  }

  #pause(call: UpstreamCall): void {
    call.pause();
    if (this.pausedSinceMs !== null) return;
    this.pausedSinceMs = performance.now();
    this.exchange.response.once('drain', () => {
      if (this.pausedSinceMs !== null) this.#resume();
    });
  }

  #resume(): void {
    this.pausedSinceMs = null;
    this.#current?.resume();
  }

  // ---- billing ----

  #bill(failed: Failed, bill: Bill, delayMs: number): void {
    const { exchange, plane } = this;
    const { ending, call } = failed;
    const { attempt } = call;
    this.#state = 'billing';
    this.#current = null;
    const tokens = tokensUsed(exchange, { ...bill, error: ending.kind === 'error' ? ending.error.code : null });
    attempt.ticket?.settle(tokens);
    exchange.failedTokens += tokens ?? exchange.ticket?.tokens ?? 0;
    const billed = billAttempt(exchange, plane, attempt, bill);
    const goOn = (isBilled: boolean): void => this.#billed(failed, isBilled ? null : bill, delayMs);
    if (!(billed instanceof Promise)) return goOn(billed);
    billed.then(goOn, (error: unknown) => {
      plane.log.error({ requestId: exchange.id, err: error }, 'a failed attempt could not be booked');
      goOn(false);
    });
  }

  /** @param unpaid what the request's own row must say of the attempt; `null`: it has a row of its own */
  #billed(failed: Failed, unpaid: Bill | null, delayMs: number): void {
    if (unpaid !== null || this.#abortReason !== null) return this.#deliver(failed, unpaid ?? NO_BILL);
    this.#last = failed;
    this.#state = 'choosing';
    if (delayMs === 0) this.#choose();
    else this.#timer = setTimeout(() => this.#choose(), delayMs);
  }

  // ---- the end ----

  /** Ends the call from our side; the caller gets what the reason asks for. Without a caller it may be drained instead. */
  abort(reason: AbortReason): void {
    if (this.#state === 'over' || this.#abortReason !== null) return;
    if (reason === 'client_gone' && !this.#isDraining) {
      const end = this.#current?.attempt.isComplete() === true ? 'complete' : this.#startDraining();
      this.exchange.response.destroy(); // of a caller that only stopped reading
      if (end === null) return;
      this.plane.metrics.clientGone(end);
    }
    this.#abortReason = reason;
    if (this.#state === 'trying') this.#current?.abort(reason);
    else if (this.#state === 'choosing') this.#endBetween(reason);
  }

  #endBetween(reason: AbortReason): void {
    if (this.run.current !== null) this.run.passedOver(); // it waited for room in the limits of its target
    if (this.#last !== null) return this.#deliver(this.#last, NO_BILL);
    if (reason !== 'client_gone') tellFailure(this.exchange, this.plane, new AppError(reason));
    this.#end({ ...NO_BILL, error: reason });
  }

  /** The caller, if there is one, gets what the failed attempt has for it. */
  #deliver(failed: Failed, bill: Bill): void {
    try {
      const { call, ending } = failed;
      const isGone = this.#abortReason === 'client_gone';
      this.#end({ ...bill, error: isGone ? 'client_gone' : this.answer.tell(call, this.#toldOf(ending), bill.usage) });
    } catch (error) {
      this.#broken(error, bill);
    }
  }

  /** Where several attempts got no answer, the caller learns of each. */
  #toldOf(ending: Ending): Ending {
    if (ending.kind === 'answer' || ending.error.kind !== 'upstream' || this.#abortReason !== null) return ending;
    if (this.run.plan.chain === null || this.run.attempts.length < 2 || this.answer.hasBegun) return ending;
    return { ...ending, error: refusalOf(this.run, performance.now()) };
  }

  /** A fault of ours. The call ends all the same, and the caller must not wait. */
  #broken(error: unknown, bill: Bill): void {
    const { exchange, plane } = this;
    plane.log.error({ requestId: exchange.id, err: error }, 'a call broke in the gateway');
    if (this.answer.hasBegun) exchange.response.destroy();
    else tellFailure(exchange, plane, new AppError('internal', { cause: error }));
    this.#end({ ...bill, error: 'internal' });
  }

  // A paused upstream connection would stay in its pool for ever once its client has left.
  #onClientClose = (): void => {
    if (!this.#isDraining && !this.exchange.response.writableFinished) this.abort('client_gone');
  };

  /** Reads on without a caller, within the bounds of the policy; else answers why not. */
  #startDraining(): ClientGoneEnd | null {
    const { target, whenClientGone } = this.exchange;
    const policy = target?.provider.clientGone;
    // What has not been sent upstream costs nothing.
    if (policy === undefined || (whenClientGone ?? policy.action) === 'cancel' || this.#current?.isSent !== true)
      return 'cancelled';
    if (!this.plane.drains.take()) return 'no_room';
    this.#isDraining = true;
    this.#drainableBytes = policy.maxBytes;
    this.deadlineMs = Math.min(this.deadlineMs, performance.now() + policy.maxMs);
    if (this.pausedSinceMs !== null) this.#resume();
    return null;
  }

  /** Whether so many bytes may still be read once the caller has left. */
  mayDrain(bytes: number): boolean {
    return !this.#isDraining || (this.#drainableBytes -= bytes) >= 0;
  }

  /** Nothing is heard or waited for any more. */
  #leave(): void {
    this.#state = 'over';
    this.#current = null;
    this.#clearTimer();
    if (this.run.current !== null) this.run.left(performance.now());
  }

  /** Where every call ends that a target was asked for, once: what it holds goes back and its row is written. */
  #end(outcome: Omit<Outcome, 'captured'>): void {
    if (this.#state === 'over') return;
    this.#leave();
    const { exchange, plane } = this;
    try {
      if (this.#isDraining) {
        plane.drains.release();
        plane.metrics.clientGone(outcome.complete ? 'drained' : 'cut');
      }
      const error = this.#isDraining ? 'client_gone' : outcome.error;
      settle(exchange, plane, { ...outcome, error, captured: this.answer.takeCaptured() });
    } catch (error) {
      plane.log.error({ requestId: exchange.id, err: error }, 'the end of a call could not be recorded in full');
    } finally {
      plane.active.delete(this); // else a stop would wait for it
    }
  }
}
