import { nested, objectsOf, parseAnswer, stringOf } from '../answers.js';
import type { ReplySink } from '../answer-model.js';
import { faultOf } from '../faults.js';
import type { Json } from '../request-model.js';
import { finishOfResponse, headOfResponse, signatureOfReasoning, usageOfResponse } from './read-answer.js';

/** A stream of response events. Items come one after the other; what the deltas told is not read again from the last event. */
export class ResponseStreamReader {
  private hasCalls = false;
  private isCallOpen = false;
  private hasArgs = false;
  private hasSummary = false;
  private isOver = false;
  hasFailed = false;

  constructor(private readonly sink: ReplySink) {}

  readonly event = (data: string): void => {
    if (this.isOver || data === '[DONE]') return;
    const event = parseAnswer(data);
    switch (event.type) {
      case 'response.output_text.delta':
        return this.sink.text(stringOf(event.delta) ?? '');
      case 'response.refusal.delta':
        return this.sink.refusal(stringOf(event.delta) ?? '');
      case 'response.reasoning_summary_text.delta':
      case 'response.reasoning_text.delta':
        return this.sink.thinking(stringOf(event.delta) ?? '');
      case 'response.reasoning_summary_part.added':
        return this.summaryPart();
      case 'response.function_call_arguments.delta':
      case 'response.custom_tool_call_input.delta':
        return this.args(stringOf(event.delta) ?? '');
      case 'response.output_item.added':
        return this.item(nested(event.item));
      case 'response.output_item.done':
        return this.itemEnd(nested(event.item));
      case 'response.created':
        return this.sink.start(headOfResponse(nested(event.response)));
      case 'response.completed':
      case 'response.incomplete':
        return this.over(nested(event.response));
      case 'response.failed':
        return this.fail(nested(event.response).error);
      case 'error':
        return this.fail(event.error ?? event);
      default:
        return;
    }
  };

  close(): boolean {
    return this.isOver;
  }

  /** The parts of one item's summary are paragraphs. */
  private summaryPart(): void {
    if (this.hasSummary) this.sink.thinking('\n\n');
    this.hasSummary = true;
  }

  private item(item: Json): void {
    this.hasSummary = false;
    if (item.type !== 'function_call' && item.type !== 'custom_tool_call') return;
    this.hasCalls = true;
    this.isCallOpen = true;
    const isCustom = item.type === 'custom_tool_call';
    this.sink.call({ id: stringOf(item.call_id), name: stringOf(item.name) ?? '', isCustom, signature: null });
    this.hasArgs = false;
    this.args(stringOf(isCustom ? item.input : item.arguments) ?? '');
  }

  private args(text: string): void {
    if (!this.isCallOpen || text === '') return;
    this.hasArgs = true;
    this.sink.args(text);
  }

  private itemEnd(item: Json): void {
    if (item.type === 'reasoning') {
      const signature = signatureOfReasoning(item);
      if (signature !== null) this.sink.signature(signature);
      return;
    }
    if (!this.isCallOpen) return;
    // A server may give the arguments only here.
    if (!this.hasArgs) this.args(stringOf(item.arguments ?? item.input) ?? '');
    this.isCallOpen = false;
    this.sink.callEnd();
  }

  private over(response: Json): void {
    this.isOver = true;
    const usage = usageOfResponse(response.usage);
    if (usage !== null) this.sink.usage(usage);
    const hasCalls = this.hasCalls || objectsOf(response.output).some((item) => item.type === 'function_call');
    this.sink.finish(finishOfResponse(response, hasCalls), null);
    this.sink.end();
  }

  private fail(error: unknown): void {
    this.isOver = true;
    this.hasFailed = true;
    this.sink.fail(faultOf(error, null));
  }
}
