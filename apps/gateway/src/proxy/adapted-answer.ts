import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Operation } from '#libs/dialects/index.js';
import type { AnswerDecoder, Provider } from '#libs/providers/index.js';

/**
 * Stands between an upstream and the handler of its answer where the two do not speak alike: event streams of AWS become
 * those of the dialect, errors of a cloud get the dialect's shape. The handler notices nothing but its dialect. An answer
 * that cannot be decoded ends as an error of the connection does, with the decoder's fault.
 */
export class AdaptedAnswer implements Dispatcher.DispatchHandler {
  readonly #provider: Provider;
  readonly #operation: Operation;
  readonly #inner: Dispatcher.DispatchHandler;
  #decoder: AnswerDecoder | null = null;
  #broken = false;
  #failed = false;

  constructor(provider: Provider, operation: Operation, inner: Dispatcher.DispatchHandler) {
    this.#provider = provider;
    this.#operation = operation;
    this.#inner = inner;
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.#inner.onRequestStart?.(controller, context);
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
    statusMessage?: string,
  ): void {
    const { adaptation, credential } = this.#provider;
    if (status === 401 || status === 403) credential?.refused();
    this.#decoder = status < 200 ? null : (adaptation?.decoderFor(this.#operation, status, headers) ?? null);
    this.#inner.onResponseStart?.(controller, status, this.#decoder?.headers ?? headers, statusMessage);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#broken) return;
    if (this.#decoder === null) return this.#inner.onResponseData?.(controller, chunk);
    const decoded = this.#decoder.push(chunk);
    if (decoded.length > 0) this.#inner.onResponseData?.(controller, decoded);
    if (this.#decoder.fault === null) return;
    this.#broken = true;
    controller.abort(this.#decoder.fault);
  }

  onResponseEnd(controller: Dispatcher.DispatchController, trailers: IncomingHttpHeaders): void {
    if (this.#broken) return this.#fail(controller);
    const rest = this.#decoder?.end();
    if (rest !== undefined && rest.length > 0) this.#inner.onResponseData?.(controller, rest);
    this.#inner.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#broken) return this.#fail(controller);
    this.#inner.onResponseError?.(controller, error);
  }

  /** What was aborted ends with its fault, once, also when its last byte had come already. */
  #fail(controller: Dispatcher.DispatchController): void {
    const fault = this.#decoder?.fault ?? null;
    if (this.#failed || fault === null) return;
    this.#failed = true;
    this.#inner.onResponseError?.(controller, fault);
  }
}
