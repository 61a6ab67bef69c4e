import type { AnswerHead, Fault, FinishReason, OpenedCall, ReplySink, Usage } from '../answer-model.js';
import { failedCode, openAiError } from '../faults.js';
import { HeldText } from '../held-text.js';
import type { Json, ReplyContext } from '../request-model.js';
import type { Signature } from '../signatures.js';
import type { StreamWriter } from '../stream-writer.js';
import { callItem, incompleteReason, messageItem, reasoningItem, responseBody, textPart } from './write-answer.js';

/** An item that is being written; its text is kept, for the last events repeat it whole. */
interface OpenItem {
  readonly kind: 'text' | 'refusal' | 'thinking' | 'call';
  readonly id: string;
  readonly call: OpenedCall & { readonly id: string };
  text: string;
  signature: Signature | null;
}

const NO_CALL = { id: '', name: '', isCustom: false, signature: null };

/** Response events: items opened and closed one after the other, each event numbered. */
export class ResponseStreamWriter implements ReplySink, StreamWriter {
  private out = '';
  private head: AnswerHead | null = null;
  private isStarted = false;
  private sequence = 0;
  private readonly output: Json[] = [];
  private readonly bound = new HeldText();
  private open: OpenItem | null = null;
  private deltaHead = '';
  private reason: FinishReason = 'stop';
  private lastUsage: Usage | null = null;

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
    if (this.open?.kind !== 'text') this.begin('text');
    this.delta(text);
  }

  refusal(text: string): void {
    if (this.open?.kind !== 'refusal') this.begin('refusal');
    this.delta(text);
  }

  thinking(text: string): void {
    if (this.open?.kind !== 'thinking' || this.open.signature !== null) this.begin('thinking');
    if (this.open?.text === '') {
      const part = { type: 'summary_text', text: '' };
      this.event('response.reasoning_summary_part.added', { ...this.place(), summary_index: 0, part });
    }
    this.delta(text);
  }

  signature(signature: Signature): void {
    if (this.open?.kind !== 'thinking' || this.open.signature !== null) this.begin('thinking');
    (this.open as OpenItem).signature = signature;
  }

  call(call: OpenedCall): void {
    if (call.signature !== null) this.signature(call.signature);
    this.begin('call', call);
  }

  args(text: string): void {
    if (this.open?.kind === 'call') this.delta(text);
  }

  callEnd(): void {
    this.close();
  }

  finish(reason: FinishReason): void {
    this.reason = reason;
  }

  usage(usage: Usage): void {
    this.lastUsage = usage;
  }

  /** The SDK throws on the first event; Codex ignores it and reads the second. */
  fail(fault: Fault): void {
    const { code, message, param } = openAiError(fault);
    this.event('error', { code, message, param });
    const error = { code: failedCode(fault), message };
    const response = responseBody(this.head ?? NO_HEAD, this.context, this.output, null, this.lastUsage);
    this.event('response.failed', { response: { ...response, status: 'failed', error } });
  }

  end(): void {
    if (!this.isStarted) this.startResponse();
    this.close();
    const type = incompleteReason(this.reason) === null ? 'response.completed' : 'response.incomplete';
    const response = responseBody(this.head ?? NO_HEAD, this.context, this.output, this.reason, this.lastUsage);
    this.event(type, { response });
  }

  /** Goes out with the first content, so that nothing binds the gateway before. */
  private startResponse(): void {
    this.isStarted = true;
    const response = responseBody(this.head ?? NO_HEAD, this.context, [], null, null);
    this.event('response.created', { response });
    this.event('response.in_progress', { response });
  }

  private begin(kind: OpenItem['kind'], call: OpenedCall | null = null): void {
    if (!this.isStarted) this.startResponse();
    this.close();
    const id = `${this.context.requestId}_${this.output.length}`;
    const opened = call === null ? NO_CALL : { ...call, id: call.id ?? `call_${id}` };
    const prefix = kind === 'thinking' ? 'rs_' : kind !== 'call' ? 'msg_' : opened.isCustom ? 'ctc_' : 'fc_';
    this.open = { kind, id: prefix + id, call: opened, text: '', signature: null };
    this.event('response.output_item.added', {
      output_index: this.output.length,
      item: this.item('in_progress', true),
    });
    if (kind === 'text' || kind === 'refusal')
      this.event('response.content_part.added', { ...this.place(), content_index: 0, part: this.part('') });
    const type = DELTA_TYPES[kind === 'call' && opened.isCustom ? 'custom' : kind];
    const index = kind === 'thinking' ? ',"summary_index":0' : kind === 'call' ? '' : ',"content_index":0';
    const logprobs = kind === 'text' ? ',"logprobs":[]' : '';
    this.deltaHead =
      `event: ${type}\ndata: {"type":"${type}","item_id":${JSON.stringify(this.open.id)},` +
      `"output_index":${this.output.length}${index}${logprobs},"sequence_number":`;
  }

  private delta(text: string): void {
    (this.open as OpenItem).text += this.bound.hold(text);
    this.out += `${this.deltaHead}${this.sequence++},"delta":${JSON.stringify(text)}}\n\n`;
  }

  private close(): void {
    const { open } = this;
    if (open === null) return;
    const place = this.place();
    if (open.kind === 'text' || open.kind === 'refusal') this.closePart(open, place);
    else if (open.kind === 'call') {
      const [type, field] = open.call.isCustom
        ? ['response.custom_tool_call_input.done', 'input']
        : ['response.function_call_arguments.done', 'arguments'];
      this.event(type as string, { ...place, [field as string]: open.text });
    } else if (open.text !== '') {
      this.event('response.reasoning_summary_text.done', { ...place, summary_index: 0, text: open.text });
      const part = { type: 'summary_text', text: open.text };
      this.event('response.reasoning_summary_part.done', { ...place, summary_index: 0, part });
    }
    const item = this.item('completed', false);
    this.event('response.output_item.done', { output_index: this.output.length, item });
    this.output.push(item);
    this.open = null;
  }

  private closePart(open: OpenItem, place: Json): void {
    const done = open.kind === 'text' ? { text: open.text, logprobs: [] } : { refusal: open.text };
    const type = open.kind === 'text' ? 'response.output_text.done' : 'response.refusal.done';
    this.event(type, { ...place, content_index: 0, ...done });
    this.event('response.content_part.done', { ...place, content_index: 0, part: this.part(open.text) });
  }

  private place(): Json {
    return { item_id: this.open?.id ?? '', output_index: this.output.length };
  }

  private part(text: string): Json {
    return this.open?.kind === 'refusal' ? { type: 'refusal', refusal: text } : textPart(text);
  }

  private item(status: string, isEmpty: boolean): Json {
    const open = this.open as OpenItem;
    if (open.kind === 'thinking')
      return isEmpty
        ? { id: open.id, type: 'reasoning', summary: [] }
        : { ...reasoningItem(open.id, open.text, open.signature), id: open.id };
    if (open.kind === 'call') return { ...callItem('', { ...open.call, args: open.text }, status), id: open.id };
    return messageItem(open.id, isEmpty ? [] : [this.part(open.text)], status);
  }

  private event(type: string, fields: Json): void {
    this.out += `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: this.sequence++, ...fields })}\n\n`;
  }
}

const NO_HEAD: AnswerHead = { id: null, model: null, createdAtSeconds: null };

const DELTA_TYPES = {
  text: 'response.output_text.delta',
  refusal: 'response.refusal.delta',
  thinking: 'response.reasoning_summary_text.delta',
  call: 'response.function_call_arguments.delta',
  custom: 'response.custom_tool_call_input.delta',
} as const;
