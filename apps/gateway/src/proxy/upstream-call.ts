import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import {
  withoutUsageChunk,
  withServiceTier,
  type TokenUsage,
  type TranslatedStream,
  type Translation,
} from '#libs/dialects/index.js';
import { AppError } from '#libs/platform/errors.js';
import {
  classifyAnswer,
  classifyHiddenError,
  classifyStreamError,
  retryAfterMs,
  type Attempt,
  type Failure,
} from '#libs/routing/index.js';
import { errorEnding, type AbortReason, type Ending } from './ending.js';
import type { Exchange } from './exchange.js';
import { beginsContent, errorIn } from './first-content.js';
import type { OutgrowthWatch } from './outgrowth.js';
import { isReadable, looksLikeJson, mediaType } from './readable-answer.js';
import { answerHeaders, type OutgoingHeaders } from './response-headers.js';
import type { RoutedCall } from './routed-call.js';
import { scrub } from './scrub.js';
import { SseBlocks } from './sse-blocks.js';
import { EndsOfStream } from './stream-ends.js';
import { streamTypeFor } from './translate-body.js';
import { classOfFailure, errorOfAbort, upstreamError } from './upstream-error.js';
import { watchGrowth } from './watch-growth.js';
import { isDone, usageOfEnds, type Way } from './way.js';

/** Answers up to this size are sent in one piece, so that one which breaks off can still become a proper error. */
const WHOLE_LIMIT_BYTES = 1024 * 1024;
/** An answer that is translated must be held as a whole. */
const TRANSLATED_LIMIT_BYTES = 16 * 1024 * 1024;
/** Events that open a stream without content; beyond this they are passed on as they come. */
const HELD_LIMIT_BYTES = 64 * 1024;

/** How the answer is passed on. `whole`: collected, then sent. `events`: whole SSE events. `raw`: bytes as they come. */
type Mode = 'whole' | 'events' | 'raw';

/**
 * One upstream call, as an undici dispatch handler: reads the answer in the provider's dialect and hands it to the
 * `RoutedCall` in the caller's. No streams and no closures per chunk: this is the hot path (ADR 0003). It ends in exactly one
 * `succeeded` or `failed`.
 */
export class UpstreamCall implements Dispatcher.DispatchHandler {
  readonly #call: RoutedCall;
  readonly #exchange: Exchange;
  readonly #way: Way;
  readonly #translation: Translation | null;
  /** Another target may take the call until its first content: nothing is passed on before. */
  readonly #mayMove: boolean;
  readonly attempt: Attempt;
  #controller: Dispatcher.DispatchController | null = null;
  #abortReason: AbortReason | null = null;
  #over = false;
  #upstreamHeaders: IncomingHttpHeaders = {};
  #mode: Mode = 'whole';
  #headers: OutgoingHeaders = {};
  #blocks: SseBlocks | null = null;
  #ends: EndsOfStream | null = null;
  #stream: TranslatedStream | null = null;
  #outgrowth: OutgrowthWatch | null = null;
  /** Service tier that a header of the answer names. */
  #tier: string | null = null;
  #parts: Buffer[] = [];
  #partsBytes = 0;
  #hasContent = false;

  constructor(call: RoutedCall, attempt: Attempt, way: Way, translation: Translation | null) {
    this.#call = call;
    this.#exchange = call.exchange;
    this.#way = way;
    this.#translation = translation;
    this.attempt = attempt;
    this.#mayMove = call.run.plan.chain !== null;
  }

  /** Whether anything went upstream. */
  get isSent(): boolean {
    return this.#controller !== null;
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
        this.#call.ended(this, { usage: this.#usageSoFar(), head: null, isWhole: true, error: null });
      }
    } catch (error) {
      this.#brokenByUs(error);
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#over) return;
    const reason = this.#abortReason;
    this.#fail(
      reason === null ? upstreamError(error, this.#exchange.upstreamStatus !== null) : errorOfAbort(reason, error),
    );
  }

  /** An answer that cannot be read, or a fault of ours in the middle of a call: it must still end, with a row, and be seen. */
  #brokenByUs(error: unknown): void {
    const known = error instanceof AppError ? error : new AppError('internal', { cause: error });
    if (known.code === 'internal') {
      this.#call.plane.log.error({ requestId: this.#exchange.id, err: error }, 'an answer could not be passed on');
    }
    if (this.#over) return;
    this.#fail(known);
    this.#controller?.abort(new Error('internal'));
  }

  #start(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    const exchange = this.#exchange;
    if (status < 200 || this.#over) return;
    exchange.upstreamStatus = status;
    this.#upstreamHeaders = headers;
    const isEvents = mediaType(headers).startsWith('text/event-stream');
    if (!isReadable(status, headers, isEvents) || (isEvents && status >= 400 && this.#mayMove)) {
      this.#abortReason = 'upstream_invalid';
      controller.abort(new Error('upstream_invalid'));
      return;
    }
    this.#headers = answerHeaders(exchange, this.#call.plane, headers);
    const { dialect, operation } = this.#way;
    if (dialect.tierHeader !== null) this.#tier = String(headers[dialect.tierHeader] ?? '');
    if (isEvents || exchange.stream) {
      const wantsHead = dialect.name === 'anthropic' || (operation === 'responses' && this.#mayMove);
      this.#ends = new EndsOfStream(wantsHead, dialect.billedMark);
    }
    if (isEvents) {
      this.#mode = 'events';
      this.#blocks = new SseBlocks();
      delete this.#headers['content-length'];
      if (this.#translation !== null && status < 300) {
        this.#stream = this.#translation.stream();
        this.#headers['content-type'] = streamTypeFor(exchange);
      }
    } else if (exchange.stream && status < 300 && dialect.name === 'gemini' && this.#translation === null) {
      this.#mode = 'raw'; // Gemini streams a JSON array unless asked for SSE
    }
    if (this.#mode !== 'whole') this.#outgrowth = watchGrowth(this.#call);
    if (!isEvents) this.#call.answerHasBegun();
  }

  #take(chunk: Buffer): void {
    const exchange = this.#exchange;
    if (!this.#call.mayDrain(chunk.length)) return this.#call.abort('client_gone');
    if (exchange.firstByteMs === null) exchange.firstByteMs = performance.now() - exchange.startedMs;
    if (this.#mode === 'events') {
      const block = (this.#blocks as SseBlocks).push(chunk);
      if (block !== null) this.#takeEvents(block);
    } else if (this.#mode === 'raw') {
      this.#sendRaw(chunk);
    } else {
      this.#hold(chunk);
      if (this.#partsBytes > WHOLE_LIMIT_BYTES) this.#becomeRaw();
    }
  }

  #hold(bytes: Buffer): void {
    this.#parts.push(bytes);
    this.#partsBytes += bytes.length;
  }

  #takeEvents(block: Buffer): void {
    (this.#ends as EndsOfStream).push(block);
    this.#outgrowth?.push(block);
    if (this.#mayMove && !this.#hasContent && this.#hasFailed(block)) return;
    if (this.#stream !== null) return this.#sendTranslated(this.#stream.push(block));
    const visible = this.#exchange.hideUsageChunk ? withoutUsageChunk(block) : block;
    if (visible.length === 0 || (this.#mayMove && !this.#hasContent && !this.#opens(visible))) return;
    this.#send(visible);
  }

  /** An error event before any content ends the attempt. */
  #hasFailed(block: Buffer): boolean {
    const error = errorIn(block);
    if (error === null) return false;
    this.#hold(block);
    const failure = this.#failure(classifyStreamError(this.#way.dialect.name, error));
    this.#over = true;
    this.#call.failed(this, failure, this.#usageSoFar(), this.#errorEvents());
    this.#controller?.abort(new Error('upstream_failed'));
    return true;
  }

  /** Whether content has begun; until then what came is held. */
  #opens(block: Buffer): boolean {
    if (!beginsContent(this.#way.operation, block) && this.#partsBytes + block.length <= HELD_LIMIT_BYTES) {
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
    if (this.#stream !== null) {
      return errorEnding(new AppError('upstream_failed'), null, {});
    }
    const body = scrub(Buffer.concat(this.#takeHeld()), this.#credentials);
    return { kind: 'answer', status: this.#exchange.upstreamStatus ?? 200, headers: this.#headers, body };
  }

  #sendTranslated(bytes: Buffer | null): void {
    const failure = this.#stream?.failure ?? null;
    if (failure !== null && !this.#hasContent) throw failure;
    if (bytes !== null && bytes.length > 0) this.#send(bytes);
    // Its frames have told the caller already.
    if (failure !== null) throw failure;
  }

  #send(bytes: Buffer): void {
    if (!this.#hasContent) {
      this.#hasContent = true;
      this.#call.content();
    }
    this.#call.write(this.#exchange.upstreamStatus as number, this.#headers, scrub(bytes, this.#credentials));
  }

  get #credentials(): readonly Buffer[] {
    return this.attempt.target.target.provider.credentials;
  }

  #sendRaw(chunk: Buffer): void {
    (this.#ends ??= new EndsOfStream(false, this.#way.dialect.billedMark)).push(chunk);
    this.#outgrowth?.push(chunk);
    this.#send(chunk);
  }

  /** The answer is too large to be held: its bytes go out as they come, unless they must be translated as a whole. */
  #becomeRaw(): void {
    if (this.#translation !== null && this.#partsBytes < TRANSLATED_LIMIT_BYTES) return;
    if (this.#translation !== null || !looksLikeJson(this.#parts[0] as Buffer)) throw new AppError('upstream_invalid');
    this.#mode = 'raw';
    for (const part of this.#takeHeld()) this.#sendRaw(part);
  }

  #endWhole(): void {
    const status = this.#exchange.upstreamStatus as number;
    const received = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
    if (status !== 204 && !looksLikeJson(received)) return this.#fail(new AppError('upstream_invalid'));
    if (status >= 400) return this.#endRefused(status, received);
    const { dialect, operation } = this.#way;
    const usage = status < 300 ? this.#withTier(dialect.usageOfBody(operation, received)) : null;
    const hidden = this.#mayMove ? classifyHiddenError(dialect.name, received) : null;
    if (hidden !== null) {
      const ending = {
        kind: 'answer',
        status,
        headers: this.#headers,
        body: scrub(received, this.#credentials),
      } as const;
      this.#over = true;
      return this.#call.failed(this, this.#failure(hidden, received), usage, ending);
    }
    const body = scrub(this.#translation === null ? received : this.#translation.answer(received), this.#credentials);
    this.#over = true;
    this.#call.answered(this, { status, headers: this.#headers, body, usage, received });
  }

  /** The provider says no: in its own words, or in those of the caller's dialect. */
  #endRefused(status: number, received: Buffer): void {
    const failure = this.#failure(classifyAnswer(this.#way.dialect.name, status, received), received);
    const said = this.#translation?.error(status, received) ?? { status, body: received };
    const body = scrub(said.body, this.#credentials);
    this.#over = true;
    this.#call.failed(this, failure, null, { kind: 'answer', status: said.status, headers: this.#headers, body });
  }

  #failure(failureClass: Failure['class'], body: Buffer | null = null): Failure {
    const pauseMs = retryAfterMs(this.#upstreamHeaders, Date.now(), body);
    return { class: failureClass, status: this.#exchange.upstreamStatus, retryAfterMs: pauseMs };
  }

  #endEvents(): void {
    const { dialect, operation } = this.#way;
    const rest = this.#blocks?.rest() ?? null;
    // A last event without its blank line is still an event if it ends the stream.
    if (rest !== null && dialect.endingOf(operation, rest) !== 'cut') this.#takeEvents(rest);
    if (this.#over) return;
    const ends = (this.#ends as EndsOfStream).ends();
    const ending = dialect.endingOf(operation, ends.tail);
    if (ending === 'cut') return this.#fail(new AppError('upstream_cut'));
    if (this.#stream !== null) this.#sendTranslated(this.#stream.end());
    for (const part of this.#takeHeld()) this.#send(part);
    const usage = this.#withTier(dialect.usageOfStream(operation, ends));
    this.#over = true;
    if (ending === 'failed' && !this.#hasContent) {
      return this.#call.failed(this, this.#failure('error_body'), usage, this.#errorEvents());
    }
    this.#call.ended(this, {
      usage,
      head: ends.head,
      isWhole: dialect.hasFinalUsage(ends),
      error: ending === 'failed' ? 'upstream_failed' : null,
    });
  }

  /** The call failed or was ended: what the caller gets depends on what has been sent already. */
  #fail(error: AppError): void {
    if (this.#over) return;
    this.#over = true;
    const status = this.#exchange.upstreamStatus ?? 0;
    const ending = errorEnding(error, status, this.#upstreamHeaders);
    const seen = { hasStatus: status > 0, hasContent: this.#hasContent, abortReason: this.#abortReason };
    const found =
      status >= 400 ? classifyAnswer(this.#way.dialect.name, status, Buffer.alloc(0)) : classOfFailure(error, seen);
    this.#call.failed(this, this.#failure(found), this.#usageSoFar(), ending);
  }

  /** The frames that end a broken stream, in the caller's dialect; `null` when they have been sent. */
  breakOff(error: AppError): Buffer | null {
    if (this.#stream !== null) {
      const frames = this.#stream.fail(error);
      return frames.length === 0 ? null : frames;
    }
    const { endpoint, operation } = this.#exchange;
    return Buffer.from(endpoint.dialect.renderStreamError(operation ?? 'chat', error));
  }

  #usageSoFar(): TokenUsage | null {
    return this.#ends === null ? null : this.#withTier(usageOfEnds(this.#way, this.#ends));
  }

  #withTier(usage: TokenUsage | null): TokenUsage | null {
    return usage === null || this.#tier === null ? usage : withServiceTier(usage, this.#tier);
  }

  /** Many clients close as soon as they have read the last event: then nothing is missing. */
  isComplete(): boolean {
    return this.#ends !== null && isDone(this.#way, this.#ends);
  }
}
