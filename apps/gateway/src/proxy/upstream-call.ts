import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { withoutUsageChunk, withServiceTier, type TokenUsage } from '#libs/dialects/index.js';
import { nanosToUsd } from '#libs/ledger/index.js';
import { AppError, type ErrorCode } from '#libs/platform/errors.js';
import { AnswerCapture } from './capture.js';
import type { ClientGoneEnd } from './client-gone.js';
import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';
import { OutgrowthWatch } from './outgrowth.js';
import { answerError } from './refuse.js';
import { answerHeaders, budgetHeaders, type OutgoingHeaders } from './response-headers.js';
import { scrub } from './scrub.js';
import { isReadable, looksLikeJson, mediaType } from './readable-answer.js';
import { freedNanos, priceOf, settle, type Outcome } from './settle.js';
import { SseBlocks } from './sse-blocks.js';
import { EndsOfStream } from './stream-ends.js';
import { upstreamError } from './upstream-error.js';

/** Answers up to this size are sent in one piece, so that one which breaks off can still become a proper error. */
const WHOLE_LIMIT_BYTES = 1024 * 1024;

/** How the answer is passed on. `whole`: collected, then sent. `events`: whole SSE events. `raw`: bytes as they come. */
type Mode = 'whole' | 'events' | 'raw';

/** Why the gateway itself ended a call. */
export type AbortReason =
  'client_gone' | Extract<ErrorCode, 'upstream_timeout' | 'upstream_invalid' | 'draining' | 'budget_exceeded'>;

/**
 * Stage 8: one upstream call, as an undici dispatch handler that writes into the caller's response. No streams and no
 * closures per chunk: this is the hot path (ADR 0003). It ends in exactly one `settle`, also
 * when the caller has left.
 */
export class UpstreamCall implements Dispatcher.DispatchHandler {
  readonly #exchange: Exchange;
  readonly #plane: DataPlane;
  #controller: Dispatcher.DispatchController | null = null;
  #abortReason: AbortReason | null = null;
  #over = false;
  /** The caller left and the answer is read for its usage alone: nothing is written any more. */
  #isDraining = false;
  /** Bytes that may still come while draining. */
  #drainableBytes = 0;
  activeAt = -1;
  deadlineMs: number;
  #retryAfter: string | null = null;
  #mode: Mode = 'whole';
  #headers: OutgoingHeaders = {};
  #blocks: SseBlocks | null = null;
  #ends: EndsOfStream | null = null;
  #outgrowth: OutgrowthWatch | null = null;
  /** Service tier that a header of the answer names. */
  #tier: string | null = null;
  #parts: Buffer[] = [];
  #partsBytes = 0;
  #pausedSinceMs: number | null = null;
  readonly #capture: AnswerCapture | null;

  constructor(exchange: Exchange, plane: DataPlane) {
    this.#exchange = exchange;
    this.#plane = plane;
    this.#capture = plane.bodies === null ? null : new AnswerCapture(plane);
    this.deadlineMs = exchange.startedMs + (exchange.target?.provider.timeouts.totalMs ?? 0);
    plane.active.add(this);
    exchange.response.on('close', this.#onClientClose);
  }

  /** Since when the caller has not read on (monotonic ms); `null` while it reads. */
  get pausedSinceMs(): number | null {
    return this.#pausedSinceMs;
  }

  /** Ends the call from our side; the caller gets what the reason asks for. Without a caller it may be drained instead. */
  abort(reason: AbortReason): void {
    if (this.#over || this.#abortReason !== null) return;
    if (reason === 'client_gone' && !this.#isDraining) {
      const end = this.#isOver() ? 'complete' : this.#startDraining();
      if (end === null) return;
      this.#plane.metrics.clientGone(end);
    }
    this.#abortReason = reason;
    if (this.#controller === null) this.#fail(new AppError(reason === 'client_gone' ? 'upstream_cut' : reason));
    else this.#controller.abort(new Error(reason));
  }

  // A paused upstream connection would stay in its pool for ever once its client has left.
  #onClientClose = (): void => {
    if (!this.#isDraining && !this.#exchange.response.writableFinished) this.abort('client_gone');
  };

  /** Reads on without a caller, within the bounds of the policy; else answers why not. */
  #startDraining(): ClientGoneEnd | null {
    const { target, whenClientGone, response } = this.#exchange;
    const policy = target?.provider.clientGone;
    // What has not been sent upstream costs nothing.
    if (policy === undefined || (whenClientGone ?? policy.action) === 'cancel' || this.#controller === null)
      return 'cancelled';
    if (!this.#plane.drains.take()) return 'no_room';
    this.#isDraining = true;
    this.#drainableBytes = policy.maxBytes;
    this.deadlineMs = Math.min(this.deadlineMs, performance.now() + policy.maxMs);
    response.destroy(); // of a caller that only stopped reading
    if (this.#pausedSinceMs !== null) this.#resume();
    return null;
  }

  get #credentials(): readonly Buffer[] {
    return this.#exchange.target?.provider.credentials ?? [];
  }

  #pause(): void {
    if (this.#pausedSinceMs !== null) return;
    this.#pausedSinceMs = performance.now();
    this.#controller?.pause();
    this.#exchange.response.once('drain', () => {
      if (this.#pausedSinceMs !== null) this.#resume();
    });
  }

  #resume(): void {
    this.#pausedSinceMs = null;
    this.#controller?.resume();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#over || this.#abortReason !== null) controller.abort(new Error(this.#abortReason ?? 'client_gone'));
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    try {
      this.#start(controller, status, headers);
    } catch (error) {
      this.#brokenByUs(error);
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    try {
      this.#take(chunk);
    } catch (error) {
      this.#brokenByUs(error);
    }
  }

  onResponseEnd(): void {
    if (this.#over) return;
    try {
      if (this.#mode === 'whole') this.#endWhole();
      else if (this.#mode === 'events') this.#endEvents();
      else this.#endRaw();
    } catch (error) {
      this.#brokenByUs(error);
    }
  }

  /** A fault of ours in the middle of a call: it must still end, with a row, and be seen. */
  #brokenByUs(error: unknown): void {
    this.#plane.log.error({ requestId: this.#exchange.id, err: error }, 'an answer could not be passed on');
    if (this.#over) return;
    this.#fail(error instanceof AppError ? error : new AppError('internal', { cause: error }));
    this.#controller?.abort(new Error('internal'));
  }

  #start(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    const exchange = this.#exchange;
    if (status < 200) return;
    exchange.upstreamStatus = status;
    const isEvents = mediaType(headers).startsWith('text/event-stream');
    if (!isReadable(status, headers, isEvents)) {
      // What can be kept of an error without its text: SDKs back off by status and by this header.
      this.#retryAfter = status >= 400 ? (headers['retry-after'] ?? null) : null;
      this.#abortReason = 'upstream_invalid';
      controller.abort(new Error('upstream_invalid'));
      return;
    }
    this.#headers = answerHeaders(exchange, this.#plane, headers);
    const { dialect } = exchange.endpoint;
    if (dialect.tierHeader !== null) this.#tier = String(headers[dialect.tierHeader] ?? '');
    if (isEvents || exchange.stream) this.#ends = new EndsOfStream(dialect.name === 'anthropic', dialect.billedMark);
    if (isEvents) {
      this.#mode = 'events';
      this.#blocks = new SseBlocks();
      delete this.#headers['content-length'];
    } else if (exchange.stream && status < 300 && dialect.name === 'gemini') {
      this.#mode = 'raw'; // Gemini streams a JSON array unless asked for SSE
    }
    if (this.#mode !== 'whole') this.#outgrowth = this.#watchGrowth();
  }

  #take(chunk: Buffer): void {
    const exchange = this.#exchange;
    if (this.#isDraining && (this.#drainableBytes -= chunk.length) < 0) return this.abort('client_gone');
    if (exchange.firstByteMs === null) exchange.firstByteMs = performance.now() - exchange.startedMs;
    if (this.#mode === 'events') {
      const block = (this.#blocks as SseBlocks).push(chunk);
      if (block !== null) this.#sendEvents(block);
    } else if (this.#mode === 'raw') {
      this.#sendRaw(chunk);
    } else {
      this.#parts.push(chunk);
      this.#partsBytes += chunk.length;
      if (this.#partsBytes > WHOLE_LIMIT_BYTES) this.#becomeRaw();
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#over) return;
    const reason = this.#abortReason;
    this.#fail(
      reason === null
        ? upstreamError(error, this.#exchange.upstreamStatus !== null)
        : new AppError(reason === 'client_gone' ? 'upstream_cut' : reason, { cause: error }),
    );
  }

  #sendEvents(block: Buffer): void {
    (this.#ends as EndsOfStream).push(block);
    this.#outgrowth?.push(block);
    const visible = this.#exchange.hideUsageChunk ? withoutUsageChunk(block) : block;
    if (visible.length > 0) this.#write(scrub(visible, this.#credentials));
  }

  /** Only under a hard budget. */
  #watchGrowth(): OutgrowthWatch | null {
    const { growth, admission } = this.#exchange;
    if (growth === null || admission === null) return null;
    return new OutgrowthWatch(
      growth,
      (moreNanos) => this.#plane.budgets.extend(admission, moreNanos),
      () => this.abort('budget_exceeded'),
    );
  }

  #sendRaw(chunk: Buffer): void {
    (this.#ends ??= new EndsOfStream(false, this.#exchange.endpoint.dialect.billedMark)).push(chunk);
    this.#outgrowth?.push(chunk);
    this.#write((this.#exchange.upstreamStatus ?? 0) < 400 ? chunk : scrub(chunk, this.#credentials));
  }

  /** The answer is too large to be held: from here on its bytes go out as they come. */
  #becomeRaw(): void {
    if (!looksLikeJson(this.#parts[0] as Buffer)) throw new AppError('upstream_invalid');
    this.#mode = 'raw';
    for (const part of this.#parts) this.#sendRaw(part);
    this.#parts = [];
  }

  #write(bytes: Buffer): void {
    if (this.#isDraining) return;
    const { response } = this.#exchange;
    // The status line waits for the first content: until then a failure can still become a proper error.
    if (!response.headersSent) this.#writeHead();
    this.#capture?.push(bytes);
    if (!response.write(bytes)) this.#pause();
  }

  /** Of an answer that is not there as a whole yet: what the call holds of its budgets counts as taken. */
  #writeHead(): void {
    const { response, upstreamStatus } = this.#exchange;
    response.writeHead(
      upstreamStatus as number,
      Object.assign(this.#headers, budgetHeaders(this.#exchange, this.#plane, 0)),
    );
  }

  #endWhole(): void {
    const exchange = this.#exchange;
    const status = exchange.upstreamStatus as number;
    const received = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
    if (status !== 204 && !looksLikeJson(received)) return this.#fail(new AppError('upstream_invalid'));
    const body = scrub(received, this.#credentials);
    const { dialect } = exchange.endpoint;
    const usage = status < 300 ? this.#withTier(dialect.usageOfBody(exchange.operation ?? 'chat', body)) : null;
    const price = priceOf(exchange, this.#plane, usage);
    if (price.priceVersion !== null) this.#headers['x-smartflow-cost-usd'] = nanosToUsd(BigInt(price.costNanos));
    if (!this.#isDraining) {
      Object.assign(this.#headers, budgetHeaders(exchange, this.#plane, freedNanos(exchange, usage, price)));
      this.#headers['content-length'] = body.length;
      this.#capture?.push(body);
      exchange.response.writeHead(status, this.#headers);
      exchange.response.end(body);
    }
    this.#settle({ usage, price, complete: true, error: null });
  }

  #endEvents(): void {
    const exchange = this.#exchange;
    const { dialect } = exchange.endpoint;
    const operation = exchange.operation ?? 'chat';
    const rest = this.#blocks?.rest() ?? null;
    // A last event without its blank line is still an event if it ends the stream.
    if (rest !== null && dialect.endingOf(operation, rest) !== 'cut') this.#sendEvents(rest);
    const ends = (this.#ends as EndsOfStream).ends();
    const ending = dialect.endingOf(operation, ends.tail);
    if (ending === 'cut') return this.#fail(new AppError('upstream_cut'));
    this.#endAnswer();
    const failed = ending === 'failed';
    this.#settle({
      usage: this.#withTier(dialect.usageOfStream(operation, ends)),
      complete: !failed && dialect.hasFinalUsage(ends),
      error: failed ? 'upstream_failed' : null,
    });
  }

  #endRaw(): void {
    this.#endAnswer();
    this.#settle({ usage: this.#usageSoFar(), complete: true, error: null });
  }

  #endAnswer(): void {
    if (this.#isDraining) return;
    const { response } = this.#exchange;
    if (!response.headersSent) this.#writeHead();
    response.end();
  }

  /** The call failed or was ended. What the caller gets depends on what has been sent already. */
  #fail(error: AppError): void {
    const exchange = this.#exchange;
    const usage = this.#usageSoFar();
    if (this.#abortReason === 'client_gone' || this.#isDraining) {
      // Many clients close as soon as they have read the last event: then nothing is missing.
      const complete = this.#isOver();
      return this.#settle({ usage, complete, error: complete ? null : 'client_gone' });
    }
    try {
      this.#tellFailure(error);
    } catch (thrown) {
      this.#plane.log.error({ requestId: exchange.id, err: thrown }, 'a failure could not be told to the caller');
      exchange.response.destroy();
    }
    this.#plane.log.warn(
      { requestId: exchange.id, provider: exchange.target?.provider.name, code: error.code, err: error.cause },
      'an upstream call failed',
    );
    this.#settle({ usage, complete: false, error: error.code });
  }

  #tellFailure(error: AppError): void {
    const exchange = this.#exchange;
    const { response } = exchange;
    if (!response.headersSent) {
      const status = exchange.upstreamStatus ?? 0;
      answerError(exchange, this.#plane, error, status >= 400 ? { status, retryAfter: this.#retryAfter } : null);
    } else if (this.#mode === 'events') {
      const frames = exchange.endpoint.dialect.renderStreamError(exchange.operation ?? 'chat', error);
      this.#capture?.push(Buffer.from(frames));
      response.end(frames);
    } else {
      response.destroy(); // no frame can follow half a JSON body: the broken connection is the error
    }
  }

  #usageSoFar() {
    const { dialect } = this.#exchange.endpoint;
    if (this.#ends === null) return null;
    return this.#withTier(dialect.usageOfStream(this.#exchange.operation ?? 'chat', this.#ends.ends()));
  }

  #withTier(usage: TokenUsage | null): TokenUsage | null {
    return usage === null || this.#tier === null ? usage : withServiceTier(usage, this.#tier);
  }

  #isOver(): boolean {
    if (this.#ends === null) return false;
    const { tail } = this.#ends.ends();
    return this.#exchange.endpoint.dialect.endingOf(this.#exchange.operation ?? 'chat', tail) === 'done';
  }

  #settle(outcome: Omit<Outcome, 'captured' | 'sent'>): void {
    this.#over = true;
    try {
      if (this.#isDraining) {
        this.#plane.drains.release();
        this.#plane.metrics.clientGone(outcome.complete ? 'drained' : 'cut');
      }
      const error = this.#isDraining ? 'client_gone' : outcome.error;
      settle(this.#exchange, this.#plane, {
        ...outcome,
        error,
        sent: this.#controller !== null,
        captured: this.#capture?.take() ?? null,
      });
    } catch (error) {
      this.#plane.log.error(
        { requestId: this.#exchange.id, err: error },
        'the end of a call could not be recorded in full',
      );
    } finally {
      this.#plane.active.delete(this); // else a stop would wait for it
    }
  }
}
