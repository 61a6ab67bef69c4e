import { answerId } from '../answers.js';
import type { AnswerHead, Fault, FinishReason, OpenedCall, ReplySink, Usage } from '../answer-model.js';
import { openAiError } from '../faults.js';
import { HeldText } from '../held-text.js';
import type { Json, ReplyContext } from '../request-model.js';
import type { Signature } from '../signatures.js';
import type { StreamWriter } from '../stream-writer.js';
import { callExtra, chatReason, chatUsage, thinkingBlock } from './write-answer.js';

/** Chat chunks. Every chunk is the same but for its delta, so head and tail are made once. */
export class ChatStreamWriter implements ReplySink, StreamWriter {
  private out = '';
  private head: string | null = null;
  private isOpened = false;
  private thoughts = '';
  private readonly bound = new HeldText();
  private calls = -1;
  private isCustom = false;
  private reason: FinishReason | null = null;
  private lastUsage: Usage | null = null;

  constructor(private readonly context: ReplyContext) {}

  take(): string {
    const out = this.out;
    this.out = '';
    return out;
  }

  start(head: AnswerHead): void {
    if (this.head !== null) return;
    const { context } = this;
    this.head = JSON.stringify({
      id: answerId(head, context, 'chatcmpl-'),
      object: 'chat.completion.chunk',
      created: head.createdAtSeconds ?? context.createdAtSeconds,
      model: head.model ?? context.model,
    }).slice(0, -1);
  }

  text(text: string): void {
    this.delta(`{"content":${JSON.stringify(text)}}`);
  }

  refusal(text: string): void {
    this.delta(`{"refusal":${JSON.stringify(text)}}`);
  }

  thinking(text: string): void {
    this.thoughts += this.bound.hold(text);
    this.delta(`{"reasoning_content":${JSON.stringify(text)}}`);
  }

  signature(signature: Signature): void {
    this.delta(JSON.stringify({ thinking_blocks: [thinkingBlock(this.thoughts, signature)] }));
    this.thoughts = '';
  }

  call(call: OpenedCall): void {
    this.calls++;
    this.isCustom = call.isCustom;
    const id = call.id ?? `call_${this.context.requestId}_${this.calls}`;
    const inner: Json = call.isCustom
      ? { id, type: 'custom', custom: { name: call.name, input: '' } }
      : { id, type: 'function', function: { name: call.name, arguments: '' }, ...callExtra(call.signature) };
    this.delta(JSON.stringify({ tool_calls: [{ index: this.calls, ...inner }] }));
  }

  args(text: string): void {
    const inner = this.isCustom
      ? `"custom":{"input":${JSON.stringify(text)}}`
      : `"function":{"arguments":${JSON.stringify(text)}}`;
    this.delta(`{"tool_calls":[{"index":${this.calls},${inner}}]}`);
  }

  callEnd(): void {
    // a call has no end of its own here
  }

  finish(reason: FinishReason): void {
    this.reason = reason;
    this.delta('{}', JSON.stringify(chatReason(reason)));
  }

  usage(usage: Usage): void {
    this.lastUsage = usage;
  }

  fail(fault: Fault): void {
    this.out += `data: ${JSON.stringify({ error: openAiError(fault) })}\n\n`;
  }

  end(): void {
    if (this.reason === null) this.finish('stop');
    if (this.context.wantsStreamUsage && this.lastUsage !== null)
      this.out += `data: ${this.head},"choices":[],"usage":${JSON.stringify(chatUsage(this.lastUsage))}}\n\n`;
    this.out += 'data: [DONE]\n\n';
  }

  /** The first chunk names the role; it goes out with the first content, so that nothing binds the gateway before. */
  private open(): void {
    this.isOpened = true;
    this.start({ id: null, model: null, createdAtSeconds: null });
    this.delta('{"role":"assistant","content":""}');
  }

  private delta(delta: string, reason = 'null'): void {
    if (!this.isOpened) this.open();
    this.out += `data: ${this.head},"choices":[{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${reason}}]}\n\n`;
  }
}
