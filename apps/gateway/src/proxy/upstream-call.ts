import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { withoutUsageChunk } from '#libs/dialects/index.js';
import { nanosToUsd } from '#libs/ledger/index.js';
import { AppError, type ErrorCode } from '#libs/platform/errors.js';
import { AnswerCapture } from './capture.js';
import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';
import { answerError } from './refuse.js';
import { answerHeaders, type OutgoingHeaders } from './response-headers.js';
import { scrub } from './scrub.js';
import { priceOf, settle, type Outcome } from './settle.js';
import { SseBlocks } from './sse-blocks.js';
import { EndsOfStream } from './stream-ends.js';
import { upstreamError } from './upstream-error.js';

/** Answers up to this size are sent in one piece, so that one which breaks off can still become a proper error. */
const WHOLE_LIMIT_BYTES = 1024 * 1024;

/** How the answer is passed on. `whole`: collected, then sent. `events`: whole SSE events. `raw`: bytes as they come. */
type Mode = 'whole' | 'events' | 'raw';

/** Why the gateway itself ended a call. */
export type AbortReason = 'client_gone' | Extract<ErrorCode, 'upstream_timeout' | 'upstream_invalid' | 'draining'>;

/**
 * Stage 8: one upstream call, as an undici dispatch handler that writes into the caller's response. No streams and no
 * closures per chunk: this is the hot path (ADR 0003). It ends in exactly one `settle`.
 */
export class UpstreamCall implements Dispatcher.DispatchHandler {
  readonly #exchange: Exchange;
  readonly #plane: DataPlane;
  #controller: Dispatcher.DispatchController | null = null;
  #abortReason: AbortReason | null = null;
  #over = false;
  activeAt = -1;
  #retryAfter: string | null = null;
  #mode: Mode = 'whole';
  #headers: OutgoingHeaders = {};
  #blocks: SseBlocks | null = null;
  #ends: EndsOfStream | null = null;
  #parts: Buffer[] = [];
  #partsBytes = 0;
  #pausedSinceMs: number | null = null;
  readonly #capture: AnswerCapture | null;

  constructor(exchange: Exchange, plane: DataPlane) {
    this.#exchange = exchange;
    this.#plane = plane;
    this.#capture = plane.bodies === null ? null : new AnswerCapture(plane);
    plane.active.add(this);
    exchange.response.on('close', this.#onClientClose);
  }

  get startedMs(): number {
    return this.#exchange.startedMs;
  }

  get totalMs(): number {
    return this.#exchange.target?.provider.timeouts.totalMs ?? 0;
  }

  /** Since when the caller has not read on (monotonic ms); `null` while it reads. */
  get pausedSinceMs(): number | null {
    return this.#pausedSinceMs;
  }

  /** Ends the call from our side; the caller gets what the reason asks for. */
  abort(reason: AbortReason): void {
    if (this.#over || this.#abortReason !== null) return;
    this.#abortReason = reason;
    if (this.#controller === null) this.#fail(new AppError(reason === 'client_gone' ? 'upstream_cut' : reason));
    else this.#controller.abort(new Error(reason));
  }

  // A paused upstream connection would stay in its pool for ever once its client has left.
  #onClientClose = (): void => {
    if (!this.#exchange.response.writableFinished) this.abort('client_gone');
  };

  get #credentials(): readonly Buffer[] {
    return this.#exchange.target?.provider.credentials ?? [];
  }

  #pause(): void {
    if (this.#pausedSinceMs !== null) return;
    this.#pausedSinceMs = performance.now();
    this.#controller?.pause();
    this.#exchange.response.once('drain', () => {
      this.#pausedSinceMs = null;
      this.#controller?.resume();
    });
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
    if (isEvents || exchange.stream) this.#ends = new EndsOfStream(exchange.endpoint.dialect.name === 'anthropic');
    if (isEvents) {
      this.#mode = 'events';
      this.#blocks = new SseBlocks();
      delete this.#headers['content-length'];
    } else if (exchange.stream && status < 300 && exchange.endpoint.dialect.name === 'gemini') {
      this.#mode = 'raw'; // Gemini streams a JSON array unless asked for SSE
    }
  }

  #take(chunk: Buffer): void {
    const exchange = this.#exchange;
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

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
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
    const visible = this.#exchange.hideUsageChunk ? withoutUsageChunk(block) : block;
    if (visible.length > 0) this.#write(scrub(visible, this.#credentials));
  }

  #sendRaw(chunk: Buffer): void {
    (this.#ends ??= new EndsOfStream(false)).push(chunk);
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
    const { response, upstreamStatus } = this.#exchange;
    // The status line waits for the first content: until then a failure can still become a proper error.
    if (!response.headersSent) response.writeHead(upstreamStatus as number, this.#headers);
    this.#capture?.push(bytes);
    if (!response.write(bytes)) this.#pause();
  }

  #endWhole(): void {
    const exchange = this.#exchange;
    const status = exchange.upstreamStatus as number;
    const received = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
    if (status !== 204 && !looksLikeJson(received)) return this.#fail(new AppError('upstream_invalid'));
    const body = scrub(received, this.#credentials);
    const { dialect } = exchange.endpoint;
    const usage = status < 300 ? dialect.usageOfBody(exchange.operation ?? 'chat', body) : null;
    const price = priceOf(exchange, this.#plane, usage);
    if (price.priceVersion !== null) this.#headers['x-smartflow-cost-usd'] = nanosToUsd(BigInt(price.costNanos));
    this.#headers['content-length'] = body.length;
    this.#capture?.push(body);
    exchange.response.writeHead(status, this.#headers);
    exchange.response.end(body);
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
    if (!exchange.response.headersSent) exchange.response.writeHead(exchange.upstreamStatus as number, this.#headers);
    exchange.response.end();
    const failed = ending === 'failed';
    this.#settle({
      usage: dialect.usageOfStream(operation, ends),
      complete: !failed,
      error: failed ? 'upstream_failed' : null,
    });
  }

  #endRaw(): void {
    const exchange = this.#exchange;
    if (!exchange.response.headersSent) exchange.response.writeHead(exchange.upstreamStatus as number, this.#headers);
    exchange.response.end();
    this.#settle({ usage: this.#usageSoFar(), complete: true, error: null });
  }

  /** The call failed or was ended. What the caller gets depends on what has been sent already. */
  #fail(error: AppError): void {
    const exchange = this.#exchange;
    const { response } = exchange;
    const usage = this.#usageSoFar();
    if (this.#abortReason === 'client_gone') {
      // Many clients close as soon as they have read the last event: then nothing is missing.
      const complete = this.#ends !== null && this.#isOver();
      return this.#settle({ usage, complete, error: complete ? null : 'client_gone' });
    }
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
    this.#plane.log.warn(
      { requestId: exchange.id, provider: exchange.target?.provider.name, code: error.code, err: error.cause },
      'an upstream call failed',
    );
    this.#settle({ usage, complete: false, error: error.code });
  }

  #usageSoFar() {
    const { dialect } = this.#exchange.endpoint;
    return this.#ends === null ? null : dialect.usageOfStream(this.#exchange.operation ?? 'chat', this.#ends.ends());
  }

  #isOver(): boolean {
    const { tail } = (this.#ends as EndsOfStream).ends();
    return this.#exchange.endpoint.dialect.endingOf(this.#exchange.operation ?? 'chat', tail) === 'done';
  }

  #settle(outcome: Omit<Outcome, 'captured'>): void {
    this.#over = true;
    settle(this.#exchange, this.#plane, { ...outcome, captured: this.#capture?.take() ?? null });
    this.#plane.active.delete(this);
  }
}

/**
 * Whether an answer can be passed on. A redirect would show the upstream's host, a page of HTML is no answer in any dialect,
 * and of a compressed one (we asked for none) neither usage nor end could be read.
 */
function isReadable(status: number, headers: IncomingHttpHeaders, isEvents: boolean): boolean {
  if (status >= 300 && status < 400) return false;
  const type = mediaType(headers);
  return (
    (headers['content-encoding'] ?? 'identity') === 'identity' && (isEvents || type === '' || type.includes('json'))
  );
}

/** In lower case; of a header that came twice, both. */
function mediaType(headers: IncomingHttpHeaders): string {
  return String(headers['content-type'] ?? '').toLowerCase();
}

/** Whether the first character that is no space can begin a JSON text; what says it is JSON need not be. */
function looksLikeJson(body: Buffer): boolean {
  return /^\s*[[{"\d\-tfn]/.test(body.toString('latin1', 0, 256));
}
