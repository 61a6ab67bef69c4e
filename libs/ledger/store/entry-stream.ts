/** One entry of a stream as it was read back. */
export interface StreamEntry {
  /** The stream's own id. */
  readonly id: string;
  readonly fields: ReadonlyMap<string, Buffer>;
  /** Sum of the lengths of names and values, as counted when the entry was added. */
  readonly bytes: number;
}

/**
 * The reading end of a stream between gateways and workers. Every entry is delivered at least once: what was not reported
 * `done` comes again, to this reader or to another one, also after `kill -9`.
 */
export interface EntryReader {
  /** Entries left by dead readers first, then new ones; waits a bounded time and answers `[]` when there are none. */
  next(): Promise<readonly StreamEntry[]>;
  /** Takes entries out of the stream; to be called only when what they carry is stored. */
  done(entries: readonly StreamEntry[]): Promise<void>;
  /** Keeps what cannot be stored in the (bounded) dead-letter stream, for a person to look at. */
  bury(payload: Buffer, reason: string): Promise<void>;
}
