import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { errorIn, withoutUsageChunk, type TokenUsage, type TranslatedStream } from '#libs/dialects/index.js';
import { AppError } from '#libs/platform/errors.js';
import {
  classifyAnswer,
  classifyHiddenError,
  classifyStreamError,
  retryAfterMs,
  type Failure,
} from '#libs/routing/index.js';
import { HELD_LIMIT_BYTES, TRANSLATED_LIMIT_BYTES, WHOLE_LIMIT_BYTES } from './answer-limits.js';
import { beginsArray, HIDDEN_STATUS, isAnswer, isJson } from './answer-fitness.js';
import { errorEnding, type AbortReason, type Ending, type FailedAnswer } from './ending.js';
import type { Exchange } from './exchange.js';
import { beginningOf } from './first-content.js';
import type { OutgrowthWatch } from './outgrowth.js';
import { isReadable, looksLikeJson, mediaType } from './readable-answer.js';
import { answerHeaders, type OutgoingHeaders } from './response-headers.js';
import type { RoutedCall } from './routed-call.js';
import { scrub } from './scrub.js';
import { SseBlocks } from './sse-blocks.js';
import { EndsOfStream } from './stream-ends.js';
import { streamTypeFor, wantsEvents, wantsJsonArray } from './translate-body.js';
import type { UpstreamAttempt } from './upstream-attempt.js';
import { classOfFailure, errorOfAbort, upstreamError } from './upstream-error.js';
import { watchGrowth } from './watch-growth.js';

/** How the answer is passed on. `whole`: collected, then sent. `events`: whole SSE events. `raw`: bytes as they come. */
type Mode = 'whole' | 'events' | 'raw';

/**
 * One upstream call, as an undici dispatch handler: reads the answer in the provider's dialect and hands it to the
 * `RoutedCall` in the caller's. No streams and no closures per chunk: this is the hot path (ADR 0003). It ends in exactly one
 * `answered`, `ended` or `failed`.
 */
export class UpstreamCall implements Dispatcher.DispatchHandler {
  readonly #call: RoutedCall;
  readonly #exchange: Exchange;
  /** Another target may take the call until its first content: nothing is passed on before. */
  readonly #mayMove: boolean;
  /** An error event would move the call to another target: it is looked for. */
  #watchesErrors: boolean;
  #controller: Dispatcher.DispatchController | null = null;
  #abortReason: AbortReason | null = null;
  #over = false;
  #upstreamHeaders: IncomingHttpHeaders = {};
  #mode: Mode = 'whole';
  #headers: OutgoingHeaders = {};
  #blocks: SseBlocks | null = null;
  #stream: TranslatedStream | null = null;
  #outgrowth: OutgrowthWatch | null = null;
  #parts: Buffer[] = [];
  #partsBytes = 0;
  #hasContent = false;
  /** What tells the caller of an error behind content, kept back for another target; and the provider's own event for it. */
  #errorFrames: Buffer | null = null;
  #lateError: Buffer | null = null;

  constructor(
    call: RoutedCall,
    readonly attempt: UpstreamAttempt,
  ) {
    this.#call = call;
    this.#exchange = call.exchange;
    this.#watchesErrors = this.#mayMove = call.run.plan.chain !== null;
  }

  /** Whether anything went upstream. */
  get isSent(): boolean {
    return this.#controller !== null;
  }

  /** The model wrote what cannot be used: the stream is read on for its usage. */
  get #badOutput(): AppError | null {
    return this.#stream?.failure ?? null;
  }

  get mode(): Mode {
    return this.#mode;
  }

  get headers(): OutgoingHeaders {
    return this.#headers;
  }

  /** Ends the call from our side. */
  abort(reason: AbortReason): void {
    if (this.#over || this.#abortReason !== null) return;
    this.#abortReason = reason;
    this.#controller?.abort(new Error(reason));
    if (this.#controller === null) this.#fail(errorOfAbort(reason));
  }

  pause(): void {
    this.#controller?.pause();
  }

  resume(): void {
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
    if (this.#over) return;
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
      else {
        this.#over = true;
        this.#call.ended(this, { usage: this.attempt.usageSoFar(), head: null, isWhole: true, failure: null });
      }
    } catch (error) {
      this.#brokenByUs(error);
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#over) return;
    if (!this.isSent && error instanceof AppError && error.code === 'internal')
      return this.#call.unfit(this.attempt, error);
    const reason = this.#abortReason;
    const hasStatus = this.attempt.upstreamStatus !== null;
    this.#fail(this.#badOutput ?? (reason === null ? upstreamError(error, hasStatus) : errorOfAbort(reason, error)));
  }

  /** An answer that cannot be read, or a fault of ours in the middle of a call: it must still end, with a row, and be seen. */
  #brokenByUs(error: unknown): void {
    const known = this.#known(error);
    if (this.#over) return;
    this.#fail(known);
    this.#controller?.abort(new Error('internal'));
  }

  #known(error: unknown): AppError {
    if (error instanceof AppError) return error;
    this.#call.plane.log.error({ requestId: this.#exchange.id, err: error }, 'an answer could not be passed on');
    return new AppError('internal', { cause: error });
  }

  #start(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200 || this.#over) return;
    const exchange = this.#exchange;
    const { attempt } = this;
    attempt.upstreamStatus = status;
    this.#upstreamHeaders = headers;
    const isEvents = mediaType(headers).startsWith('text/event-stream');
    const isUnasked = isEvents && (status < 300 ? !exchange.stream : this.#mayMove);
    if (!isReadable(status, headers, isEvents) || isUnasked) {
      this.#abortReason = 'upstream_invalid';
      controller.abort(new Error('upstream_invalid'));
      return;
    }
    this.#headers = answerHeaders(exchange, this.#call.plane, headers);
    const { dialect, operation } = attempt.way;
    if (dialect.tierHeader !== null) attempt.tier = String(headers[dialect.tierHeader] ?? '');
    if (isEvents || exchange.stream) {
      const wantsHead = dialect.name === 'anthropic' || (operation === 'responses' && this.#mayMove);
      attempt.ends = new EndsOfStream(wantsHead, dialect.billedMark);
    }
    if (isEvents) {
      this.#mode = 'events';
      this.#blocks = new SseBlocks();
      delete this.#headers['content-length'];
      if (attempt.translation !== null && status < 300) {
        this.#stream = attempt.translation.stream();
        this.#headers['content-type'] = streamTypeFor(exchange);
      }
    } else if (status < 300 && wantsJsonArray(exchange) && !this.#mustBeWhole) {
      this.#mode = 'raw'; // Gemini streams a JSON array unless asked for SSE
    }
    if (this.#mode !== 'whole' && attempt.growth !== null) {
      this.#outgrowth = watchGrowth(exchange, attempt, this.#call.plane, () => {
        if (!this.#over) this.#call.abort('budget_exceeded');
      });
    }
    if (!isEvents) this.#call.answerHasBegun(this);
  }

  /** No part of a JSON answer can be translated, or follow the beginning of a stream. */
  get #mustBeWhole(): boolean {
    return this.attempt.translation !== null || this.#call.answer.hasBegun;
  }

  #take(chunk: Buffer): void {
    const { attempt } = this;
    if (!this.#call.mayDrain(chunk.length)) return this.#call.abort('client_gone');
    if (attempt.firstByteMs === null) attempt.firstByteMs = performance.now() - this.#exchange.startedMs;
    if (this.#mode === 'events') {
      const block = (this.#blocks as SseBlocks).push(chunk);
      if (block !== null) this.#takeEvents(block);
    } else if (this.#mode === 'raw' && (this.#hasContent || !this.#mayMove || beginsArray(chunk))) {
      this.#sendRaw(chunk);
    } else {
      this.#mode = 'whole';
      this.#hold(chunk);
      if (this.#partsBytes > WHOLE_LIMIT_BYTES) this.#becomeRaw();
    }
  }

  #hold(bytes: Buffer): void {
    this.#parts.push(bytes);
    this.#partsBytes += bytes.length;
  }

  #takeEvents(block: Buffer): void {
    (this.attempt.ends as EndsOfStream).push(block);
    this.#outgrowth?.push(block);
    if (this.#badOutput !== null || (this.#watchesErrors && this.#hasFailed(block))) return;
    if (this.#stream !== null) return this.#sendTranslated(this.#stream.push(block), block);
    const visible = this.attempt.hidesUsageChunk ? withoutUsageChunk(block) : block;
    if (visible.length === 0 || (this.#mayMove && !this.#hasContent && !this.#opens(visible))) return;
    this.#send(visible);
  }

  /** An error event ends the attempt: before any content, and behind it where another target may go on. */
  #hasFailed(block: Buffer): boolean {
    const error = errorIn(block);
    if (error === null) return false;
    if (this.#hasContent) {
      this.#errorFrames = block;
      this.#lateError = error;
      this.#fail(new AppError('upstream_failed'));
    } else {
      this.#hold(block);
      const failure = this.#failure(classifyStreamError(this.attempt.way.dialect.name, error));
      this.#failed({ failure, usage: this.attempt.usageSoFar(), isWhole: true, ending: this.#errorEvents() });
    }
    this.#controller?.abort(new Error('upstream_failed'));
    return true;
  }

  /** Whether content has begun; until then what came is held. */
  #opens(block: Buffer): boolean {
    const beginning = beginningOf(this.attempt.way.operation, block);
    if (beginning === 'junk') throw new AppError('upstream_invalid');
    if (beginning === 'nothing' && this.#partsBytes + block.length <= HELD_LIMIT_BYTES) {
      this.#hold(block);
      return false;
    }
    for (const part of this.#takeHeld()) this.#send(part);
    return true;
  }

  #takeHeld(): Buffer[] {
    const held = this.#parts;
    this.#parts = [];
    this.#partsBytes = 0;
    return held;
  }

  /** The provider's own error event, as it came; an error of ours where the caller would not understand it. */
  #errorEvents(): Ending {
    if (this.#stream !== null) return errorEnding(new AppError('upstream_failed'), null, {});
    const body = scrub(Buffer.concat(this.#takeHeld()), this.attempt.credentials);
    return { kind: 'answer', status: this.attempt.upstreamStatus ?? 200, headers: this.#headers, body };
  }

  #sendTranslated(bytes: Buffer | null, block: Buffer | null = null): void {
    const failure = this.#stream?.failure ?? null;
    if (failure !== null) {
      this.#errorFrames ??= bytes;
      if (failure.code === 'upstream_bad_output' && block !== null) return;
      this.#lateError = block === null ? null : errorIn(block);
      throw failure;
    }
    if (bytes !== null && bytes.length > 0) this.#send(bytes);
  }

  #send(bytes: Buffer): void {
    if (!this.#hasContent) {
      this.#hasContent = true;
      this.#watchesErrors &&= this.#stream === null && this.#call.run.plan.actions.late_cut === 'next';
      this.#call.content(this);
    }
    this.#call.write(this, scrub(bytes, this.attempt.credentials));
  }

  #sendRaw(chunk: Buffer): void {
    (this.attempt.ends ??= new EndsOfStream(false, this.attempt.way.dialect.billedMark)).push(chunk);
    this.#outgrowth?.push(chunk);
    this.#send(chunk);
  }

  /** The answer is too large to be held: its bytes go out as they come, unless they must be translated as a whole. */
  #becomeRaw(): void {
    if (this.#mustBeWhole && this.#partsBytes < TRANSLATED_LIMIT_BYTES) return;
    if (this.#mustBeWhole || wantsEvents(this.#exchange) || !looksLikeJson(this.#parts[0] as Buffer))
      throw new AppError('upstream_invalid');
    this.#mode = 'raw';
    for (const part of this.#takeHeld()) this.#sendRaw(part);
  }

  #endWhole(): void {
    const status = this.attempt.upstreamStatus as number;
    const received = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
    if (!looksLikeJson(received)) return this.#fail(new AppError('upstream_invalid'));
    const { dialect, operation } = this.attempt.way;
    if (status >= 400) return this.#endRefused(status, received, classifyAnswer(dialect.name, status, received), null);
    const usage = this.attempt.withTier(dialect.usageOfBody(operation, received));
    const hidden = this.#mayMove ? classifyHiddenError(dialect.name, received) : null;
    if (hidden !== null) return this.#endRefused(HIDDEN_STATUS, received, hidden, usage);
    let body: Buffer;
    try {
      body = scrub(this.#callersAnswer(received, usage !== null), this.attempt.credentials);
    } catch (error) {
      return this.#fail(this.#known(error), usage, true);
    }
    this.#over = true;
    this.#call.answered(this, { status, headers: this.#headers, body, usage, received });
  }

  /** What nobody else can give is only looked at where it lacks its usage. */
  #callersAnswer(received: Buffer, hasUsage: boolean): Buffer {
    const { translation, way } = this.attempt;
    if (wantsEvents(this.#exchange)) throw new AppError('upstream_invalid'); // its reader would see an empty stream
    if (translation !== null) return translation.answer(received);
    const isFit = this.#mayMove ? isAnswer(way.operation, received) : hasUsage || isJson(received);
    if (!isFit) throw new AppError('upstream_invalid');
    return received;
  }

  /** The provider says no: in its own words, or in those of the caller's dialect. */
  #endRefused(status: number, received: Buffer, failedAs: Failure['class'], usage: TokenUsage | null): void {
    const { translation } = this.attempt;
    const failure = this.#failure(failedAs, received);
    const said = translation?.error(status, received) ?? { status, body: received };
    const body = scrub(said.body, this.attempt.credentials);
    const ending = { kind: 'answer', status: said.status, headers: this.#headers, body } as const;
    this.#failed({ failure, usage, isWhole: true, ending });
  }

  #failure(failureClass: Failure['class'], body: Buffer | null = null): Failure {
    const pauseMs = retryAfterMs(this.#upstreamHeaders, Date.now(), body);
    return { class: failureClass, status: this.attempt.upstreamStatus, retryAfterMs: pauseMs };
  }

  #endEvents(): void {
    const { dialect, operation } = this.attempt.way;
    const rest = this.#blocks?.rest() ?? null;
    // A last event without its blank line is still an event if it ends the stream.
    if (rest !== null && dialect.endingOf(operation, rest) !== 'cut') this.#takeEvents(rest);
    if (this.#over) return;
    const { ending, failedAs, ...told } = this.attempt.endOfStream();
    if (ending === 'cut') return this.#fail(this.#badOutput ?? new AppError('upstream_cut'));
    try {
      if (this.#stream !== null) this.#sendTranslated(this.#stream.end());
    } catch (error) {
      return this.#fail(this.#known(error), told.usage, told.isWhole);
    }
    for (const part of this.#takeHeld()) this.#send(part);
    this.#over = true;
    this.#call.ended(this, { ...told, failure: failedAs === null ? null : this.#failure(failedAs) });
  }

  /** The call failed or was ended: what the caller gets depends on what has been sent already. */
  #fail(error: AppError, usage = this.attempt.usageSoFar(), isWhole = false): void {
    if (this.#over) return;
    const status = this.attempt.upstreamStatus ?? 0;
    const ending = errorEnding(error, status, this.#upstreamHeaders);
    const abortReason = this.#badOutput === null ? this.#abortReason : null;
    const seen = { hasStatus: status > 0, hasContent: this.#hasContent, abortReason };
    const { name } = this.attempt.way.dialect;
    const late = this.#lateError === null ? null : classifyStreamError(name, this.#lateError);
    const early = status >= 400 ? classifyAnswer(name, status, Buffer.alloc(0)) : classOfFailure(error, seen);
    this.#failed({ failure: this.#failure(late ?? early), usage, isWhole, ending });
  }

  #failed(answer: FailedAnswer): void {
    this.#over = true;
    this.#call.failed(this, answer);
  }

  /** What ends a stream that this call has begun: the provider's own error event, or one of its translation. */
  errorFrames(error: AppError): Buffer | null {
    const frames = this.#errorFrames ?? this.#stream?.fail(error) ?? null;
    return frames === null ? null : scrub(frames, this.attempt.credentials);
  }
}
