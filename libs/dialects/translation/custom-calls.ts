import { freeText } from './arguments.js';
import type { Answer, AnswerHead, Fault, FinishReason, OpenedCall, ReplySink, Usage } from './answer-model.js';
import { HeldText } from './held-text.js';
import type { Signature } from './signatures.js';

/**
 * Turns calls of tools that take free text, and were offered as functions, back into what the caller offered. Their input is
 * inside a JSON string, so it is given on when the call is complete.
 */
export class CustomCalls implements ReplySink {
  private held: string | null = null;
  private readonly bound = new HeldText();

  constructor(
    private readonly next: ReplySink,
    private readonly names: ReadonlySet<string>,
  ) {}

  start(head: AnswerHead): void {
    this.next.start(head);
  }
  text(text: string): void {
    this.next.text(text);
  }
  refusal(text: string): void {
    this.next.refusal(text);
  }
  thinking(text: string): void {
    this.next.thinking(text);
  }
  signature(signature: Signature): void {
    this.next.signature(signature);
  }
  call(call: OpenedCall): void {
    const isHeld = !call.isCustom && this.names.has(call.name);
    this.held = isHeld ? '' : null;
    this.next.call(isHeld ? { ...call, isCustom: true } : call);
  }
  args(text: string): void {
    if (this.held === null) this.next.args(text);
    else this.held += this.bound.hold(text);
  }
  callEnd(): void {
    if (this.held !== null) this.next.args(freeText(this.held));
    this.held = null;
    this.next.callEnd();
  }
  finish(reason: FinishReason, stopSequence: string | null): void {
    this.next.finish(reason, stopSequence);
  }
  usage(usage: Usage): void {
    this.next.usage(usage);
  }
  fail(fault: Fault): void {
    this.next.fail(fault);
  }
  end(): void {
    this.next.end();
  }
}

/** The same for a whole answer. */
export function withCustomCalls(answer: Answer, names: ReadonlySet<string>): Answer {
  if (names.size === 0) return answer;
  return {
    ...answer,
    parts: answer.parts.map((part) =>
      part.kind === 'call' && !part.isCustom && names.has(part.name)
        ? { ...part, isCustom: true, args: freeText(part.args) }
        : part,
    ),
  };
}
