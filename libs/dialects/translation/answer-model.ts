import type { Signature } from './signatures.js';

/**
 * The internal model of an answer. A stream is a sequence of calls on a `ReplySink`; a whole answer is an `Answer`. Parts come
 * one after the other: a reader whose dialect interleaves tool calls sorts them before it tells the sink.
 */

export type FinishReason =
  | 'stop'
  | 'stop_sequence'
  | 'length'
  | 'tool_calls'
  | 'content_filter'
  /** A server-side loop of the provider's paused; the caller may go on. */
  | 'pause'
  | 'context_full';

/** Tokens of an answer; all inclusive: `inputTokens` holds the cached ones, `outputTokens` the reasoning. */
export interface Usage {
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly cacheWrite5mTokens: number;
  readonly cacheWrite1hTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
}

/** An error a provider reported, free of its dialect. */
export interface Fault {
  readonly kind: FaultKind;
  readonly message: string;
  readonly code: string | null;
  readonly param: string | null;
}

export type FaultKind =
  | 'invalid'
  | 'context_length'
  | 'auth'
  | 'forbidden'
  | 'not_found'
  | 'too_large'
  | 'rate'
  | 'quota'
  | 'timeout'
  | 'overloaded'
  | 'server';

export interface AnswerHead {
  readonly id: string | null;
  readonly model: string | null;
  readonly createdAtSeconds: number | null;
}

export interface OpenedCall {
  readonly id: string | null;
  readonly name: string;
  readonly isCustom: boolean;
  readonly signature: Signature | null;
}

/** Told what a provider streams, in order. `args` belongs to the call opened last, `signature` to the thinking before it. */
export interface ReplySink {
  start(head: AnswerHead): void;
  text(text: string): void;
  refusal(text: string): void;
  thinking(text: string): void;
  signature(signature: Signature): void;
  call(call: OpenedCall): void;
  args(text: string): void;
  callEnd(): void;
  finish(reason: FinishReason, stopSequence: string | null): void;
  usage(usage: Usage): void;
  /** The provider ended the stream with an error; nothing may follow. */
  fail(fault: Fault): void;
  /** The stream ended as it should; nothing may follow. */
  end(): void;
}

export type AnswerPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'refusal'; readonly text: string }
  | { readonly kind: 'thinking'; readonly text: string; readonly signature: Signature | null }
  | {
      readonly kind: 'call';
      readonly id: string | null;
      readonly name: string;
      /** JSON text; of a custom tool its free text. */
      readonly args: string;
      readonly isCustom: boolean;
      readonly signature: Signature | null;
    };

export interface Answer {
  readonly head: AnswerHead;
  readonly parts: readonly AnswerPart[];
  readonly finish: FinishReason;
  readonly stopSequence: string | null;
  readonly usage: Usage | null;
}
