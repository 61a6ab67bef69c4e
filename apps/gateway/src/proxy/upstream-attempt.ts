import {
  errorIn,
  withServiceTier,
  type StreamEnding,
  type TokenUsage,
  type Translation,
} from '#libs/dialects/index.js';
import type { LimitTicket } from '#libs/keys-budgets/index.js';
import { classifyStreamError, type Attempt, type Failure, type Target } from '#libs/routing/index.js';
import type { PassedAnswer } from './ending.js';
import type { Growth } from './outgrowth.js';
import type { EndsOfStream } from './stream-ends.js';
import type { Way } from './way.js';

/** The end of a stream. */
interface StreamEnd extends Omit<PassedAnswer, 'failure'> {
  readonly ending: StreamEnding;
  readonly failedAs: Failure['class'] | null;
}

/**
 * One attempt: all that holds for its target alone. What holds for the whole request stands in `Exchange`, which knows the
 * latest attempt that was made. Fixed shape, filled by `prepareAttempt` and then by `UpstreamCall`.
 */
export class UpstreamAttempt {
  /** `null`: the answer is relayed as it comes. */
  translation: Translation | null = null;
  /** The caller did not ask for the usage chunk that the gateway asks for. */
  hidesUsageChunk = false;
  /** Output tokens to ask for under a hard budget; `null`: as the request says. */
  maxTokens: number | null = null;
  /** A budget pays for a shorter answer than was asked for. */
  isClamped = false;
  /** What its stream may grow to under a hard budget; `null`: it is not watched. */
  growth: Growth | null = null;
  /** The most it may cost, never above what is set aside for the request, in nano-dollars: what it costs if nobody knows. */
  boundNanos = 0;
  /** It stands in the metrics already. */
  isCounted = false;
  upstreamStatus: number | null = null;
  /** From the beginning of the request. */
  firstByteMs: number | null = null;
  /** What counts of its stream for usage and ending; `null`: it is none. */
  ends: EndsOfStream | null = null;
  /** Service tier that a header of the answer names. */
  tier: string | null = null;

  constructor(
    readonly planned: Attempt,
    readonly way: Way,
    /** What it holds of the limits of its target, where they are asked for apart. */
    readonly ticket: LimitTicket | null,
    /** Fields that could not be carried over; the answer names them. */
    public dropped: readonly string[],
  ) {}

  /** Of the gateway: no answer may show them. */
  get credentials(): readonly Buffer[] {
    return this.target.provider.credentials;
  }

  /** What its stream has reported. */
  usageSoFar(): TokenUsage | null {
    const { dialect, operation } = this.way;
    return this.ends === null ? null : this.withTier(dialect.usageOfStream(operation, this.ends.ends()));
  }

  withTier(usage: TokenUsage | null): TokenUsage | null {
    return usage === null || this.tier === null ? usage : withServiceTier(usage, this.tier);
  }

  /** How its stream ended, and what it told. `failedAs`: why, where its last event is an error; only those are read for it. */
  endOfStream(): StreamEnd {
    const { dialect, operation } = this.way;
    const ends = (this.ends as EndsOfStream).ends();
    const ending = dialect.endingOf(operation, ends.tail);
    const said = ending === 'done' ? null : errorIn(ends.tail);
    const told = {
      usage: this.withTier(dialect.usageOfStream(operation, ends)),
      head: ends.head,
      isWhole: dialect.hasFinalUsage(ends),
    };
    if (said !== null) return { ...told, ending: 'failed', failedAs: classifyStreamError(dialect.name, said) };
    return { ...told, ending, failedAs: ending === 'failed' ? 'late_cut' : null };
  }

  /** Whether its stream has come to its proper end. */
  isComplete(): boolean {
    const { dialect, operation } = this.way;
    return this.ends !== null && dialect.endingOf(operation, this.ends.ends().tail) === 'done';
  }

  leaveOut(names: readonly string[]): void {
    if (names.length > 0) this.dropped = [...new Set([...this.dropped, ...names])];
  }

  get target(): Target {
    return this.planned.target.target;
  }
}
