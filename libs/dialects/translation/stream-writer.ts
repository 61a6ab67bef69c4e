import type { ReplySink } from './answer-model.js';

/** Writes a stream in the caller's dialect. */
export interface StreamWriter extends ReplySink {
  /** What was written since the last time. */
  take(): string;
}

/** Reads a provider's stream event by event and tells its sink. */
export interface StreamReader {
  /** The data of one event. @throws AppError `upstream_invalid` when it is not what the dialect sends */
  readonly event: (data: string) => void;
  /** The provider ended the stream with an error of its own, which the sink was told. */
  readonly hasFailed: boolean;
  /** The bytes are over. Returns whether the stream had come to its end (or to an error of its own). */
  close(): boolean;
}
