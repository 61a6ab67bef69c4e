import type { TokenUsage } from '#libs/dialects/index.js';
import { nanosToUsd } from '#libs/ledger/index.js';
import { AppError } from '#libs/platform/errors.js';
import { failureOf, refusalOf, type Attempt, type Failure, type RouteRun } from '#libs/routing/index.js';
import type { ActiveCall } from './active-calls.js';
import { admitTarget } from './admit.js';
import { billAttempt } from './bill-attempt.js';
import { AnswerCapture } from './capture.js';
import type { ClientGoneEnd } from './client-gone.js';
import type { DataPlane } from './data-plane.js';
import type { AbortReason, Ending, PassedAnswer, WholeAnswer } from './ending.js';
import type { Exchange } from './exchange.js';
import { prepareAttempt } from './prepare-attempt.js';
import type { Reading } from './read.js';
import { rememberAnswer } from './remember-answer.js';
import { refuse, tellFailure } from './refuse.js';
import { budgetHeaders, ownHeaders, type OutgoingHeaders } from './response-headers.js';
import { send } from './send.js';
import { freedNanos, priceOf, settle, type Outcome } from './settle.js';
import { UpstreamCall } from './upstream-call.js';

/** Formats whose streams are chunks without a frame around them: what another target sends can go on where one broke off. */
const CONTINUABLE: ReadonlySet<string | null> = new Set(['chat', 'completions', 'stream_generate']);

/** An attempt that failed, as long as nobody else has taken the call. */
interface Failed {
  readonly call: UpstreamCall;
  readonly attempt: Attempt;
  readonly ending: Ending;
  readonly usage: TokenUsage | null;
  readonly upstreamStatus: number | null;
  isBilled: boolean;
}

/**
 * Stage 8: one request on its way through its plan, attempt by attempt, until an answer is passed on or nobody is left to
 * ask. It owns the caller's side of the answer; each `UpstreamCall` owns one upstream's. It ends in exactly one `settle`,
 * also when the caller has left.
 */
export class RoutedCall implements ActiveCall {
  readonly exchange: Exchange;
  readonly plane: DataPlane;
  readonly run: RouteRun;
  readonly #reading: Reading;
  activeAt = -1;
  deadlineMs = 0;
  #current: UpstreamCall | null = null;
  #last: Failed | null = null;
  /** Why the latest target could not be asked at all. */
  #unfit: unknown = null;
  /** Pause before the next attempt, or the time an attempt has to its first content. */
  #timer: NodeJS.Timeout | null = null;
  #abortReason: AbortReason | null = null;
  #over = false;
  /** The caller left and the answer is read for its usage alone: nothing is written any more. */
  #isDraining = false;
  /** Bytes that may still come while draining. */
  #drainableBytes = 0;
  #pausedSinceMs: number | null = null;
  readonly #capture: AnswerCapture | null;

  constructor(exchange: Exchange, reading: Reading, plane: DataPlane, run: RouteRun) {
    this.exchange = exchange;
    this.plane = plane;
    this.run = run;
    this.#reading = reading;
    this.#capture = plane.bodies === null ? null : new AnswerCapture(plane);
  }

  start(): void {
    this.plane.active.add(this);
    this.exchange.response.on('close', this.#onClientClose);
    this.#next();
  }

  /** Since when the caller has not read on (monotonic ms); `null` while it reads. */
  get pausedSinceMs(): number | null {
    return this.#pausedSinceMs;
  }

  // ---- the way through the plan ----

  #next(): void {
    this.#clearTimer();
    while (!this.#over) {
      const attempt = this.run.next(performance.now());
      if (attempt === null) return this.#giveUp();
      const admitted = admitTarget(this.exchange, this.#reading, attempt.target, this.plane);
      if (admitted === null) {
        if (this.#tryMake(attempt)) return;
      } else {
        void admitted.then(
          () => this.#begin(attempt) || this.#next(),
          (error: unknown) => this.#over || this.#passOver(error) || this.#next(),
        );
        return;
      }
    }
  }

  /** Once the limits of its target have room. True: nothing more is to be done. */
  #begin(attempt: Attempt): boolean {
    if (this.#over) this.exchange.targetTicket?.cancel(); // the caller left meanwhile
    return this.#over || this.#tryMake(attempt);
  }

  /** Whether the attempt is under way; else its target cannot be asked, and the next one may. */
  #tryMake(attempt: Attempt): boolean {
    try {
      this.#make(attempt);
      return true;
    } catch (error) {
      return this.#passOver(error);
    }
  }

  #passOver(error: unknown): false {
    this.#current = null;
    this.#unfit = error;
    this.exchange.targetTicket?.cancel();
    this.exchange.targetTicket = null;
    this.run.passedOver();
    return false;
  }

  #make(attempt: Attempt): void {
    const { exchange, plane } = this;
    const { way, translation, sending } = prepareAttempt(exchange, this.#reading, attempt);
    this.deadlineMs = Math.max(this.deadlineMs, exchange.startedMs + sending.provider.timeouts.totalMs);
    const call = new UpstreamCall(this, attempt, way, translation);
    this.#current = call;
    if (this.run.plan.chain !== null) {
      this.#timer = setTimeout(() => call.abort('upstream_timeout'), attempt.firstByteMs);
    }
    send(sending, plane, call);
  }

  /** Nobody is left to ask. */
  #giveUp(): void {
    if (this.#last !== null) return this.#deliver(this.#last);
    const error = this.#unfit ?? refusalOf(this.run, performance.now());
    this.#over = true;
    this.#leave();
    refuse(this.exchange, this.plane, error);
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  // ---- what an attempt reports ----

  /** The answer is one that comes as a whole: from here on only the pause between its chunks is bounded. */
  answerHasBegun(): void {
    this.#clearTimer();
  }

  content(): void {
    this.#clearTimer();
    this.run.content(performance.now());
  }

  answered(call: UpstreamCall, { status, headers, body, usage, received }: WholeAnswer): void {
    const { exchange, plane } = this;
    this.run.succeeded(performance.now(), usage);
    rememberAnswer(this.exchange, this.plane, received);
    const price = priceOf(exchange, plane, usage);
    if (price.priceVersion !== null) headers['x-smartflow-cost-usd'] = nanosToUsd(BigInt(price.costNanos));
    if (!this.#isDraining) {
      Object.assign(headers, budgetHeaders(exchange, plane, freedNanos(exchange, usage, price)));
      this.#writeWhole(status, headers, body);
    }
    this.#settle({ usage, price, complete: true, error: null, sent: call.isSent });
  }

  ended(call: UpstreamCall, { usage, head, isWhole, error }: PassedAnswer): void {
    if (error === null) this.run.succeeded(performance.now(), usage);
    else this.run.failed(performance.now(), failureOf('late_cut'), usage);
    if (head !== null) rememberAnswer(this.exchange, this.plane, head);
    if (!this.#isDraining) this.#end(call);
    this.#settle({ usage, complete: error === null && isWhole, error, sent: call.isSent });
  }

  failed(call: UpstreamCall, failure: Failure, usage: TokenUsage | null, ending: Ending): void {
    this.#clearTimer();
    const { exchange, run } = this;
    const nowMs = performance.now();
    this.#current = null;
    if (this.#isDraining || this.#abortReason === 'client_gone') {
      run.left(nowMs, usage);
      // Many clients close as soon as they have read the last event: then nothing is missing.
      const complete = call.isComplete() || ending.kind === 'answer';
      return this.#settle({ usage, complete, error: complete ? null : 'client_gone', sent: call.isSent });
    }
    const { attempt } = call;
    const failed = { call, attempt, ending, usage, upstreamStatus: exchange.upstreamStatus, isBilled: false };
    const verdict = run.failed(nowMs, failure, usage);
    this.#note(failed, failure);
    if (verdict.action !== 'again' || this.#abortReason !== null || !this.#mayGoOn()) return this.#deliver(failed);
    this.#last = failed;
    this.#moveOn(failed, verdict.delayMs);
  }

  /** Before the first content another target can always take the call. */
  #mayGoOn(): boolean {
    return !this.exchange.response.headersSent || CONTINUABLE.has(this.exchange.operation);
  }

  #moveOn(failed: Failed, delayMs: number): void {
    const { exchange, plane } = this;
    const { call, usage, ending, attempt, upstreamStatus } = failed;
    exchange.targetTicket?.settle(usage === null ? 0 : usage.inputTokens + usage.outputTokens);
    exchange.targetTicket = null;
    if (usage !== null) exchange.failedTokens += usage.inputTokens + usage.outputTokens;
    const complete = ending.kind === 'answer';
    const billed = billAttempt(exchange, plane, { attempt, usage, complete, sent: call.isSent, upstreamStatus });
    const goOn = (isBilled: boolean): void => {
      if (this.#over) return;
      if (!isBilled) return this.#deliver(failed);
      failed.isBilled = true;
      if (delayMs === 0) this.#next();
      else this.#timer = setTimeout(() => this.#next(), delayMs);
    };
    if (billed instanceof Promise) billed.then(goOn, (error: unknown) => this.#broken(failed, error));
    else goOn(billed);
  }

  #broken(failed: Failed, error: unknown): void {
    this.plane.log.error({ requestId: this.exchange.id, err: error }, 'a failed attempt could not be booked');
    if (!this.#over) this.#deliver(failed);
  }

  #note({ ending, attempt }: Failed, failure: Failure): void {
    const { exchange, plane } = this;
    if (ending.kind === 'answer' && this.run.plan.chain === null) return;
    const told = { requestId: exchange.id, provider: attempt.target.target.provider.name, attempt: attempt.number };
    const error = ending.kind === 'error' ? { code: ending.error.code, err: ending.error.cause } : {};
    plane.log.warn({ ...told, class: failure.class, status: failure.status, ...error }, 'an upstream call failed');
  }

  // ---- the caller's side ----

  #end(call: UpstreamCall): void {
    const { response, upstreamStatus } = this.exchange;
    if (!response.headersSent) {
      response.writeHead(upstreamStatus ?? 200, { ...call.headers, ...budgetHeaders(this.exchange, this.plane, 0) });
    }
    response.end();
  }

  /** Passes on what an attempt made of its answer; the status line goes with the first of it. */
  write(status: number, headers: OutgoingHeaders, bytes: Buffer): void {
    if (this.#isDraining) return;
    const { response } = this.exchange;
    // What the call holds of its budgets counts as taken until its answer is there as a whole.
    if (!response.headersSent)
      response.writeHead(status, { ...headers, ...budgetHeaders(this.exchange, this.plane, 0) });
    this.#capture?.push(bytes);
    if (!response.write(bytes)) this.#pause();
  }

  /** The caller gets what the failed attempt has for it. */
  #deliver(failed: Failed): void {
    const { exchange } = this;
    const { call, ending, isBilled } = failed;
    exchange.target = failed.attempt.target.target;
    exchange.upstreamStatus = failed.upstreamStatus;
    const usage = isBilled ? null : failed.usage;
    const sent = call.isSent && !isBilled;
    if (ending.kind === 'answer') {
      const headers = {
        ...ending.headers,
        ...ownHeaders(exchange, this.plane),
        ...budgetHeaders(exchange, this.plane, freedNanos(exchange, usage, priceOf(exchange, this.plane, usage))),
      };
      if (exchange.response.headersSent) exchange.response.end();
      else this.#writeWhole(ending.status, headers, ending.body);
      return this.#settle({ usage, complete: true, error: null, sent });
    }
    const error = this.#errorFor(ending.error);
    if (!exchange.response.headersSent) {
      const verdict = ending.status === 0 ? null : { status: ending.status, retryAfter: ending.retryAfter };
      tellFailure(exchange, this.plane, error, verdict);
    } else if (call.mode === 'events') {
      const frames = call.breakOff(error);
      if (frames !== null) this.#capture?.push(frames);
      exchange.response.end(frames ?? undefined);
    } else {
      exchange.response.destroy(); // no frame can follow half a JSON body: the broken connection is the error
    }
    this.#settle({ usage, complete: false, error: error.code, sent });
  }

  /** Where several attempts got no answer, the caller learns of each. */
  #errorFor(error: AppError): AppError {
    const isOurs = this.#abortReason !== null || error.kind !== 'upstream';
    const { chain } = this.run.plan;
    if (isOurs || chain === null || this.run.attempts.length < 2 || this.exchange.response.headersSent) return error;
    return refusalOf(this.run, performance.now());
  }

  #writeWhole(status: number, headers: OutgoingHeaders, body: Buffer): void {
    const { response } = this.exchange;
    headers['content-length'] = body.length;
    this.#capture?.push(body);
    response.writeHead(status, headers);
    response.end(body);
  }

  #pause(): void {
    if (this.#pausedSinceMs !== null) return;
    this.#pausedSinceMs = performance.now();
    this.#current?.pause();
    this.exchange.response.once('drain', () => {
      if (this.#pausedSinceMs !== null) this.#resume();
    });
  }

  #resume(): void {
    this.#pausedSinceMs = null;
    this.#current?.resume();
  }

  // ---- the end ----

  /** Ends the call from our side; the caller gets what the reason asks for. Without a caller it may be drained instead. */
  abort(reason: AbortReason): void {
    if (this.#over || this.#abortReason !== null) return;
    if (reason === 'client_gone' && !this.#isDraining) {
      const end = this.#current?.isComplete() === true ? 'complete' : this.#startDraining();
      if (end === null) return;
      this.plane.metrics.clientGone(end);
    }
    this.#abortReason = reason;
    if (this.#current !== null) this.#current.abort(reason);
    else this.#endBetween(reason);
  }

  /** While no attempt is under way. */
  #endBetween(reason: AbortReason): void {
    this.#clearTimer();
    if (reason !== 'client_gone' && this.#last !== null) return this.#deliver(this.#last);
    this.run.left(performance.now());
    if (reason !== 'client_gone') tellFailure(this.exchange, this.plane, new AppError(reason));
    this.#settle({ usage: null, complete: false, error: reason, sent: false });
  }

  // A paused upstream connection would stay in its pool for ever once its client has left.
  #onClientClose = (): void => {
    if (!this.#isDraining && !this.exchange.response.writableFinished) this.abort('client_gone');
  };

  /** Reads on without a caller, within the bounds of the policy; else answers why not. */
  #startDraining(): ClientGoneEnd | null {
    const { target, whenClientGone, response } = this.exchange;
    const policy = target?.provider.clientGone;
    // What has not been sent upstream costs nothing.
    if (policy === undefined || (whenClientGone ?? policy.action) === 'cancel' || this.#current?.isSent !== true)
      return 'cancelled';
    if (!this.plane.drains.take()) return 'no_room';
    this.#isDraining = true;
    this.#drainableBytes = policy.maxBytes;
    this.deadlineMs = Math.min(this.deadlineMs, performance.now() + policy.maxMs);
    response.destroy(); // of a caller that only stopped reading
    if (this.#pausedSinceMs !== null) this.#resume();
    return null;
  }

  /** Whether so many bytes may still be read once the caller has left. */
  mayDrain(bytes: number): boolean {
    return !this.#isDraining || (this.#drainableBytes -= bytes) >= 0;
  }

  #leave(): void {
    this.#clearTimer();
    this.plane.active.delete(this);
  }

  #settle(outcome: Omit<Outcome, 'captured'>): void {
    this.#over = true;
    try {
      if (this.#isDraining) {
        this.plane.drains.release();
        this.plane.metrics.clientGone(outcome.complete ? 'drained' : 'cut');
      }
      const error = this.#isDraining ? 'client_gone' : outcome.error;
      settle(this.exchange, this.plane, { ...outcome, error, captured: this.#capture?.take() ?? null });
    } catch (error) {
      this.plane.log.error(
        { requestId: this.exchange.id, err: error },
        'the end of a call could not be recorded in full',
      );
    } finally {
      this.#leave(); // else a stop would wait for it
    }
  }
}
