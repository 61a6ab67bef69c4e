import type { IncomingHttpHeaders } from 'node:http';
import type { Operation } from '#libs/dialects/index.js';

/** A call as it would go out in its dialect. Header lists are flat: `[name, value, …]`. */
export interface OutgoingCall {
  readonly operation: Operation;
  /** Model name at the provider. */
  readonly model: string;
  readonly stream: boolean;
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/** What becomes of it, and the names of what had to be left out. */
export interface AdaptedCall {
  readonly headers: string[];
  readonly body: Buffer;
  readonly dropped: readonly string[];
}

/** Turns the bytes of an answer into those of the dialect, as they come. */
export interface AnswerDecoder {
  /** Headers the answer has instead of the upstream's. */
  readonly headers: IncomingHttpHeaders;
  /** What a chunk completes; empty when nothing yet. */
  push(chunk: Buffer): Buffer;
  /** What is left when the answer has ended. */
  end(): Buffer;
  /** Set when the answer cannot be understood from here on: nothing more may be passed on. */
  readonly fault: Error | null;
}

/** How the calls of a provider differ from the dialect they are written in. Pure. */
export interface Adaptation {
  /**
   * The call as the provider wants it; bodies are spliced, never written anew.
   * @throws AppError `invalid_request` for what cannot be carried over
   */
  adapt(call: OutgoingCall): AdaptedCall;
  /** How to read an answer; `null`: as it is. */
  decoderFor(operation: Operation, status: number, headers: IncomingHttpHeaders): AnswerDecoder | null;
}
