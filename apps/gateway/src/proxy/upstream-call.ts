import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { withoutUsageChunk, withServiceTier, type TokenUsage } from '#libs/dialects/index.js';
import { AppError, type ErrorCode } from '#libs/platform/errors.js';
import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';
import { answerError } from './refuse.js';
import { answerHeaders, type OutgoingHeaders } from './response-headers.js';
import { scrub } from './scrub.js';
import { nanosToUsd, priceOf, settle, type Outcome } from './settle.js';
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
  #mode: Mode = 'whole';
  #headers: OutgoingHeaders = {};
  #blocks: SseBlocks | null = null;
  #ends: EndsOfStream | null = null;
  /** Service tier that a header of the answer names. */
  #tier: string | null = null;
  #parts: Buffer[] = [];
  #partsBytes = 0;
  #waitsForDrain = false;
  /** Copies of what the caller got, for the archive; cut at its limit. */
  #captured: Buffer[] | null;
  #capturedBytes = 0;

  constructor(exchange: Exchange, plane: DataPlane) {
    this.#exchange = exchange;
    this.#plane = plane;
    this.#captured = plane.bodies === null ? null : [];
    plane.active.add(this);
    exchange.response.on('close', this.#onClientClose);
  }

  get startedMs(): number {
    return this.#exchange.startedMs;
  }

  get totalMs(): number {
    return this.#exchange.target?.provider.timeouts.totalMs ?? 0;
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

  #pause(): void {
    if (this.#waitsForDrain) return;
    this.#waitsForDrain = true;
    this.#controller?.pause();
    this.#exchange.response.once('drain', () => {
      this.#waitsForDrain = false;
      this.#controller?.resume();
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#over || this.#abortReason !== null) controller.abort(new Error(this.#abortReason ?? 'client_gone'));
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    const exchange = this.#exchange;
    if (status < 200) return;
    exchange.upstreamStatus = status;
    const type = headers['content-type'] ?? '';
    const isEvents = type.startsWith('text/event-stream');
    if ((status >= 300 && status < 400) || !(isEvents || type === '' || type.includes('json'))) {
      // A redirect would show the upstream's host; a page of HTML is no answer in any dialect.
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
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
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

  onResponseEnd(): void {
    if (this.#over) return;
    if (this.#mode === 'whole') this.#endWhole();
    else if (this.#mode === 'events') this.#endEvents();
    else this.#endRaw();
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
    const visible = this.#exchange.hideUsageChunk ? withoutUsageChunk(block) : block;
    if (visible.length > 0) this.#write(visible);
  }

  #sendRaw(chunk: Buffer): void {
    (this.#ends ??= new EndsOfStream(false, this.#exchange.endpoint.dialect.billedMark)).push(chunk);
    this.#write(chunk);
  }

  /** The answer is too large to be held: from here on its bytes go out as they come. */
  #becomeRaw(): void {
    this.#mode = 'raw';
    for (const part of this.#parts) this.#sendRaw(part);
    this.#parts = [];
  }

  #write(bytes: Buffer): void {
    const { response, upstreamStatus } = this.#exchange;
    // The status line waits for the first content: until then a failure can still become a proper error.
    if (!response.headersSent) response.writeHead(upstreamStatus as number, this.#headers);
    this.#capture(bytes);
    if (!response.write(bytes)) this.#pause();
  }

  #capture(bytes: Buffer): void {
    if (this.#captured === null) return;
    const room = (this.#plane.bodies?.maxBodyBytes ?? 0) - this.#capturedBytes;
    this.#capturedBytes += bytes.length;
    if (room > 0) this.#captured.push(room < bytes.length ? bytes.subarray(0, room) : bytes);
  }

  #endWhole(): void {
    const exchange = this.#exchange;
    const status = exchange.upstreamStatus as number;
    let body = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
    if (status >= 400) body = scrub(body, exchange.target?.provider.credentials ?? []);
    const { dialect } = exchange.endpoint;
    const usage = status < 300 ? this.#withTier(dialect.usageOfBody(exchange.operation ?? 'chat', body)) : null;
    const price = priceOf(exchange, this.#plane, usage);
    if (price.priceVersion !== null) this.#headers['x-smartflow-cost-usd'] = nanosToUsd(price.costNanos);
    this.#headers['content-length'] = body.length;
    this.#capture(body);
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
      usage: this.#withTier(dialect.usageOfStream(operation, ends)),
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
    if (this.#abortReason === 'client_gone') return this.#settle({ usage, complete: false, error: 'client_gone' });
    if (!response.headersSent) {
      answerError(exchange, this.#plane, error);
    } else if (this.#mode === 'events') {
      const frames = exchange.endpoint.dialect.renderStreamError(exchange.operation ?? 'chat', error);
      this.#capture(Buffer.from(frames));
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
    if (this.#ends === null) return null;
    return this.#withTier(dialect.usageOfStream(this.#exchange.operation ?? 'chat', this.#ends.ends()));
  }

  #withTier(usage: TokenUsage | null): TokenUsage | null {
    return usage === null || this.#tier === null ? usage : withServiceTier(usage, this.#tier);
  }

  #takeCapture(): { readonly body: Buffer; readonly truncated: boolean } | null {
    if (this.#captured === null) return null;
    const body = Buffer.concat(this.#captured);
    return { body, truncated: body.length < this.#capturedBytes };
  }

  #settle(outcome: Omit<Outcome, 'captured'>): void {
    this.#over = true;
    settle(this.#exchange, this.#plane, { ...outcome, captured: this.#takeCapture() });
    this.#plane.active.delete(this);
  }
}
