import { AppError } from '#libs/platform/errors.js';
import type { Fault, FaultKind, ReplySink } from './answer-model.js';
import { CustomCalls } from './custom-calls.js';
import { EventSplitter } from './sse.js';
import type { StreamReader, StreamWriter } from './stream-writer.js';

/**
 * A provider's stream in the caller's dialect, fed with bytes cut anywhere. It never throws: what goes wrong becomes the
 * error frames of the caller's dialect and stands in `failure`. Nothing is written before the first content (or the end), so
 * that another target can still be tried.
 */
export class TranslatedStream {
  private readonly splitter: EventSplitter;
  private readonly reader: StreamReader;
  /** Why the stream broke, or `null`. The rest of the provider's bytes is of no use then. */
  failure: AppError | null = null;
  private isEnded = false;

  constructor(
    reader: (sink: ReplySink) => StreamReader,
    private readonly writer: StreamWriter,
    customTools: ReadonlySet<string>,
  ) {
    this.reader = reader(customTools.size === 0 ? writer : new CustomCalls(writer, customTools));
    this.splitter = new EventSplitter(this.reader.event);
  }

  /** The next bytes of the provider; returns what can go to the caller, `null` when there is nothing yet. */
  push(bytes: Buffer): Buffer | null {
    if (this.isEnded) return null;
    this.guarded(() => this.splitter.push(bytes));
    if (this.reader.hasFailed) this.endFailed();
    const out = this.writer.take();
    return out === '' ? null : Buffer.from(out);
  }

  /** The provider's bytes are over: the last frames. A stream that was cut ends with an error, never as if it were whole. */
  end(): Buffer {
    if (this.isEnded) return Buffer.alloc(0);
    this.guarded(() => {
      this.splitter.end();
      if (!this.reader.close()) throw new AppError('upstream_cut');
    });
    if (this.reader.hasFailed) this.endFailed();
    this.isEnded = true;
    return Buffer.from(this.writer.take());
  }

  /** Ends the stream with an error of the gateway's own (it stalled, a guardrail blocked it). */
  fail(error: AppError): Buffer {
    if (this.isEnded) return Buffer.alloc(0);
    this.break(error);
    return Buffer.from(this.writer.take());
  }

  /** The provider said itself that it failed; its words are on their way to the caller. */
  private endFailed(): void {
    this.isEnded = true;
    this.failure ??= new AppError('upstream_failed');
  }

  private guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.break(error instanceof AppError ? error : new AppError('upstream_invalid', { cause: error }));
    }
  }

  private break(error: AppError): void {
    this.isEnded = true;
    this.failure = error;
    this.writer.fail(faultOfError(error));
  }
}

const KINDS: Readonly<Partial<Record<AppError['kind'], FaultKind>>> = {
  caller: 'invalid',
  auth: 'auth',
  forbidden: 'forbidden',
  rate: 'rate',
  unavailable: 'overloaded',
};

function faultOfError(error: AppError): Fault {
  return { kind: KINDS[error.kind] ?? 'server', message: error.message, code: error.code, param: error.param };
}
