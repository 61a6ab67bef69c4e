import type { AnswerHead, Fault, FinishReason, OpenedCall, ReplySink, Usage } from '../answer-model.js';
import { badArguments } from '../answers.js';
import { parseArgs } from '../arguments.js';
import { anthropicErrorBody } from '../faults.js';
import type { Json, ReplyContext } from '../request-model.js';
import { UNSIGNED, writeSignature, type Signature } from '../signatures.js';
import type { StreamWriter } from '../stream-writer.js';
import { messageBlock, messageHead, messageReason, messageUsage, NO_USAGE, wholeMessageUsage } from './write-answer.js';

type Open = 'none' | 'text' | 'thinking' | 'call';

/** Message events. A block is opened by what belongs in it and closed by what does not. */
export class MessageStreamWriter implements ReplySink, StreamWriter {
  private out = '';
  private head: AnswerHead | null = null;
  private isStarted = false;
  private open: Open = 'none';
  private isSigned = false;
  private index = -1;
  private called = '';
  private input = '';
  /** The call that ended with arguments that are no JSON object; its block is still open. */
  private broken: string | null = null;
  private reason: FinishReason = 'stop';
  private stopSequence: string | null = null;
  private lastUsage: Usage = NO_USAGE;

  constructor(private readonly context: ReplyContext) {}

  take(): string {
    const out = this.out;
    this.out = '';
    return out;
  }

  start(head: AnswerHead): void {
    this.head ??= head;
  }

  text(text: string): void {
    if (this.open !== 'text') this.begin('text', { type: 'text', text: '', citations: null });
    this.delta('text_delta', 'text', text);
  }

  /** There is no place of its own: the stop reason says that it is one. */
  refusal(text: string): void {
    this.text(text);
  }

  thinking(text: string): void {
    // What follows a signature is another thought.
    if (this.open !== 'thinking' || this.isSigned)
      this.begin('thinking', { type: 'thinking', thinking: '', signature: '' });
    this.delta('thinking_delta', 'thinking', text);
  }

  signature(signature: Signature): void {
    if (signature.by === 'anthropic_redacted') {
      this.begin('thinking', messageBlock('', signature));
      this.isSigned = true;
      return;
    }
    if (this.open !== 'thinking' || this.isSigned)
      this.begin('thinking', { type: 'thinking', thinking: '', signature: '' });
    this.delta('signature_delta', 'signature', writeSignature(signature, 'anthropic'));
    this.isSigned = true;
  }

  call(call: OpenedCall): void {
    if (call.signature !== null) this.signature(call.signature);
    const id = call.id ?? `toolu_${this.context.requestId}_${this.index + 1}`;
    this.called = call.name;
    this.input = '';
    this.begin('call', { type: 'tool_use', id, name: call.name, input: {}, caller: { type: 'direct' } });
  }

  args(text: string): void {
    this.input += text;
    this.delta('input_json_delta', 'partial_json', text);
  }

  callEnd(): void {
    if (parseArgs(this.input) === null) this.broken = this.called;
    else this.close();
  }

  /** The limit may cut a call off: the stop reason tells. @throws AppError for one that is broken otherwise */
  finish(reason: FinishReason, stopSequence: string | null): void {
    if (this.broken !== null && reason !== 'length' && reason !== 'context_full') throw badArguments(this.broken);
    this.reason = reason;
    this.stopSequence = stopSequence;
  }

  usage(usage: Usage): void {
    this.lastUsage = usage;
  }

  fail(fault: Fault): void {
    this.out += `event: error\ndata: ${JSON.stringify(anthropicErrorBody(fault))}\n\n`;
  }

  end(): void {
    if (!this.isStarted) this.startMessage();
    this.close();
    const delta = {
      container: null,
      stop_details: null,
      stop_reason: messageReason(this.reason),
      stop_sequence: this.stopSequence,
    };
    this.event('message_delta', { delta, usage: messageUsage(this.lastUsage) });
    this.event('message_stop', {});
  }

  /** Goes out with the first content, so that nothing binds the gateway before. The real counts come with `message_delta`. */
  private startMessage(): void {
    this.isStarted = true;
    const head = this.head ?? { id: null, model: null, createdAtSeconds: null };
    const usage = wholeMessageUsage(this.lastUsage);
    this.event('message_start', { message: { ...messageHead(head, this.context), usage } });
  }

  private begin(kind: Open, block: Json): void {
    // What goes on behind a call was not cut off in it.
    if (this.broken !== null) throw badArguments(this.broken);
    if (!this.isStarted) this.startMessage();
    this.close();
    this.open = kind;
    this.isSigned = false;
    this.index++;
    this.event('content_block_start', { index: this.index, content_block: block });
  }

  private close(): void {
    if (this.open === 'none') return;
    if (this.open === 'thinking' && !this.isSigned) this.delta('signature_delta', 'signature', UNSIGNED);
    this.open = 'none';
    this.out += `event: content_block_stop\ndata: {"type":"content_block_stop","index":${this.index}}\n\n`;
  }

  private delta(type: string, field: string, text: string): void {
    this.out +=
      `event: content_block_delta\ndata: {"type":"content_block_delta","index":${this.index},` +
      `"delta":{"type":"${type}","${field}":${JSON.stringify(text)}}}\n\n`;
  }

  private event(type: string, fields: Json): void {
    this.out += `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
  }
}
