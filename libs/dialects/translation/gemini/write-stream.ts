import type { AnswerHead, Fault, FinishReason, OpenedCall, ReplySink, Usage } from '../answer-model.js';
import { badArguments } from '../answers.js';
import { parseArgs } from '../arguments.js';
import { geminiErrorBody } from '../faults.js';
import { HeldText } from '../held-text.js';
import type { ReplyContext } from '../request-model.js';
import type { Signature } from '../signatures.js';
import type { StreamWriter } from '../stream-writer.js';
import { callPart, candidateReason, geminiUsage, signed } from './write-answer.js';

/**
 * Chunks of generateContent: events, or the elements of a JSON array for callers without `alt=sse`. A call is whole here, so
 * its arguments wait for their end.
 */
export class GenerateStreamWriter implements ReplySink, StreamWriter {
  private out = '';
  private tail: string | null = null;
  private isFirst = true;
  private readonly bound = new HeldText();
  private pending: { call: OpenedCall; args: string } | null = null;
  private broken: string | null = null;
  private calls = 0;
  private reason: FinishReason = 'stop';
  private lastUsage: Usage | null = null;

  constructor(private readonly context: ReplyContext) {}

  take(): string {
    const out = this.out;
    this.out = '';
    return out;
  }

  start(head: AnswerHead): void {
    const { context } = this;
    this.tail ??= JSON.stringify({
      modelVersion: head.model ?? context.model,
      responseId: head.id ?? context.requestId,
    }).slice(1);
  }

  text(text: string): void {
    this.part(`{"text":${JSON.stringify(text)}}`);
  }

  refusal(text: string): void {
    this.text(text);
  }

  thinking(text: string): void {
    this.part(`{"text":${JSON.stringify(text)},"thought":true}`);
  }

  signature(signature: Signature): void {
    this.part(JSON.stringify(signed({ text: '', thought: true }, signature)));
  }

  call(call: OpenedCall): void {
    this.pending = { call, args: '' };
  }

  args(text: string): void {
    if (this.pending !== null) this.pending.args += this.bound.hold(text);
  }

  callEnd(): void {
    if (this.pending === null) return;
    const { call, args } = this.pending;
    this.pending = null;
    if (parseArgs(args) === null) {
      this.broken = call.name;
      return;
    }
    const id = `call_${this.context.requestId}_${this.calls++}`;
    this.part(JSON.stringify(callPart({ ...call, args }, id)));
  }

  /** A call the limit cut off is left out, for it cannot be made. @throws AppError for one that is broken otherwise */
  finish(reason: FinishReason): void {
    this.callEnd();
    this.reason = reason;
    if (this.broken !== null && reason !== 'length' && reason !== 'context_full') throw badArguments(this.broken);
  }

  usage(usage: Usage): void {
    this.lastUsage = usage;
  }

  fail(fault: Fault): void {
    this.frame(JSON.stringify(geminiErrorBody(fault)));
    if (this.context.asJsonArray) this.out += ']';
  }

  end(): void {
    const usage = this.lastUsage === null ? '' : `"usageMetadata":${JSON.stringify(geminiUsage(this.lastUsage))},`;
    const reason = `"finishReason":"${candidateReason(this.reason)}"`;
    this.frame(
      `{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},${reason},"index":0}],${usage}${this.ending()}`,
    );
    if (this.context.asJsonArray) this.out += ']';
  }

  private ending(): string {
    if (this.tail === null) this.start({ id: null, model: null, createdAtSeconds: null });
    return this.tail as string;
  }

  private part(json: string): void {
    this.frame(`{"candidates":[{"content":{"parts":[${json}],"role":"model"},"index":0}],${this.ending()}`);
  }

  private frame(json: string): void {
    if (this.context.asJsonArray) this.out += `${this.isFirst ? '[' : ',\r\n'}${json}`;
    else this.out += `data: ${json}\r\n\r\n`;
    this.isFirst = false;
  }
}
