import type { TokenUsage } from '#libs/dialects/index.js';
import { AppError, type ErrorCode } from '#libs/platform/errors.js';
import { AnswerCapture, type CapturedBody } from './capture.js';
import type { DataPlane } from './data-plane.js';
import type { Ending } from './ending.js';
import type { Exchange } from './exchange.js';
import { mediaType } from './readable-answer.js';
import { tellFailure } from './refuse.js';
import { budgetHeaders, ownHeaders, type OutgoingHeaders } from './response-headers.js';
import { freedNanos, priceOf } from './settle.js';
import type { UpstreamCall } from './upstream-call.js';

/** Formats whose streams are chunks without a frame around them: what another target sends can go on where one broke off. */
const CONTINUABLE: ReadonlySet<string | null> = new Set(['chat', 'completions', 'stream_generate']);

/** Calls of tools are counted from 0 by each target: those of two could not be told apart. */
const TOOL_CALL = /"(tool_calls|function_call|functionCall)"\s*:\s*(\[\s*)?\{/;

/** The caller's side of a routed call: what has been written to it, and a copy for the archive. */
export class CallerAnswer {
  readonly #exchange: Exchange;
  readonly #plane: DataPlane;
  readonly #capture: AnswerCapture | null;
  /** Whose status line the caller has got. */
  #opener: UpstreamCall | null = null;
  #hasToolCalls = false;

  constructor(exchange: Exchange, plane: DataPlane) {
    this.#exchange = exchange;
    this.#plane = plane;
    this.#capture = plane.bodies === null ? null : new AnswerCapture(plane);
  }

  get hasBegun(): boolean {
    return this.#exchange.response.headersSent;
  }

  /** Whether another target may take the call: as long as nothing was written, or what was are text without a frame. */
  get mayMove(): boolean {
    if (!this.hasBegun) return true;
    if (this.#hasToolCalls) return false;
    const isEvents = this.#opener?.mode === 'events' && mediaType(this.#opener.headers).startsWith('text/event-stream');
    return isEvents && CONTINUABLE.has(this.#exchange.operation);
  }

  /** Whether its chain lets another target go on with a stream. */
  get #mayFollow(): boolean {
    const actions = this.#exchange.run?.plan.actions;
    return actions?.late_cut === 'next' || actions?.late_stall === 'next';
  }

  /** Part of a stream; the status line goes with the first of it. @returns false when the caller does not keep up */
  write(call: UpstreamCall, bytes: Buffer): boolean {
    this.#open(call);
    this.#capture?.push(bytes);
    if (this.#mayFollow) this.#hasToolCalls ||= TOOL_CALL.test(bytes.toString('latin1'));
    return this.#exchange.response.write(bytes);
  }

  /** The end of a stream, also of one without any content. */
  close(call: UpstreamCall): void {
    this.#open(call);
    this.#exchange.response.end();
  }

  /** The whole answer. */
  writeWhole(status: number, headers: OutgoingHeaders, body: Buffer): void {
    const { response } = this.#exchange;
    headers['content-length'] = body.length;
    this.#capture?.push(body);
    response.writeHead(status, headers);
    response.end(body);
  }

  /**
   * What a failed attempt has for the caller.
   * @param usage what the request's row says of the attempt
   * @returns the error of that row; `null` where the provider said no in its own words
   */
  tell(call: UpstreamCall, ending: Ending, usage: TokenUsage | null): ErrorCode | null {
    const [exchange, plane] = [this.#exchange, this.#plane];
    if (this.hasBegun) {
      const error = ending.kind === 'error' ? ending.error : new AppError('upstream_failed');
      this.#breakOff(call, error);
      return error.code;
    }
    if (ending.kind === 'answer') {
      const freed = freedNanos(exchange, usage, priceOf(exchange, plane, usage));
      const headers = { ...ending.headers, ...ownHeaders(exchange, plane), ...budgetHeaders(exchange, plane, freed) };
      this.writeWhole(ending.status, headers, ending.body);
      return (call.attempt.upstreamStatus ?? 0) < 400 ? 'upstream_failed' : null;
    }
    const verdict = ending.status === 0 ? null : { status: ending.status, retryAfter: ending.retryAfter };
    tellFailure(exchange, plane, ending.error, verdict);
    return ending.error.code;
  }

  /** Ends an answer that had begun: by the frames of an error where it is a stream. */
  #breakOff(call: UpstreamCall, error: AppError): void {
    const { response, endpoint, operation } = this.#exchange;
    // No frame can follow half a JSON body: the broken connection is the error.
    if (this.#opener?.mode !== 'events') return void response.destroy();
    const own = call.errorFrames(error);
    const isTold = own !== null && own.length > 0;
    const frames = isTold ? own : Buffer.from(endpoint.dialect.renderStreamError(operation ?? 'chat', error));
    this.#capture?.push(frames);
    response.end(frames);
  }

  /** What the caller got, for the archive. */
  takeCaptured(): CapturedBody | null {
    return this.#capture?.take() ?? null;
  }

  #open(call: UpstreamCall): void {
    if (this.hasBegun) return;
    this.#opener = call;
    // What the call holds of its budgets counts as taken until its answer is there as a whole.
    const headers = { ...call.headers, ...budgetHeaders(this.#exchange, this.#plane, 0) };
    this.#exchange.response.writeHead(call.attempt.upstreamStatus ?? 200, headers);
  }
}
