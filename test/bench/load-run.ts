import { Caller } from './caller.js';
import type { RunResult, RunSpec } from './ends.js';

export interface LoadRunOptions {
  readonly spec: RunSpec;
  /** The request of the caller with this id. */
  request(id: string): Buffer;
  /** A caller got a piece of its stream and is ready for the next. */
  onPiece(id: string): void;
  /** Pieces of a whole streamed answer. */
  readonly piecesPerAnswer: number;
}

let nextId = 0;

/** One window of load: callers that send their next request as soon as they have an answer. */
export class LoadRun {
  readonly #options: LoadRunOptions;
  readonly #callers: readonly Caller[];
  readonly #result: RunResult = { answers: 0, pieces: 0, failure: null };
  #running = 0;
  #untilMs = 0;
  #ended: (result: RunResult) => void = () => {};

  constructor(options: LoadRunOptions) {
    this.#options = options;
    const { spec } = options;
    const events = {
      onAnswer: (caller: Caller) => this.#onAnswer(caller),
      onPiece: (caller: Caller) => options.onPiece(caller.id),
      onFailure: (reason: string) => this.#onFailure(reason),
    };
    this.#callers = Array.from({ length: spec.callers }, () => {
      const id = `c${nextId++}`;
      return new Caller(id, spec.port, options.request(id), events);
    });
  }

  /** Resolves when all callers are connected; nothing has been sent then. */
  async connected(): Promise<void> {
    await Promise.all(this.#callers.map((caller) => caller.connected()));
  }

  /** Runs the window and resolves when the last call that it began has been answered. */
  async run(): Promise<RunResult> {
    const over = new Promise<RunResult>((resolve) => (this.#ended = resolve));
    this.#running = this.#callers.length;
    this.#untilMs = performance.now() + this.#options.spec.windowMs;
    for (const caller of this.#callers) caller.send();
    const result = await over;
    for (const caller of this.#callers) caller.close();
    return result;
  }

  #onAnswer(caller: Caller): void {
    const { spec, piecesPerAnswer } = this.#options;
    this.#result.answers += 1;
    if (spec.stream) this.#result.pieces += piecesPerAnswer;
    const enough = spec.maxAnswers > 0 && this.#result.answers + this.#running > spec.maxAnswers;
    if (!enough && this.#result.failure === null && performance.now() < this.#untilMs) caller.send();
    else this.#endOne();
  }

  #onFailure(reason: string): void {
    this.#result.failure ??= reason;
    this.#endOne();
  }

  #endOne(): void {
    this.#running -= 1;
    if (this.#running === 0) this.#ended(this.#result);
  }
}
