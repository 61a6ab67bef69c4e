import { nested, parseAnswer, stringOf } from '../answers.js';
import type { ReplySink } from '../answer-model.js';
import { faultOf } from '../faults.js';
import { readSignature } from '../signatures.js';
import type { Json } from '../request-model.js';
import { finishOfMessage, usageOfMessage } from './read-answer.js';

/** A stream of message events. Blocks come one after the other, so the block that opened last is the one a delta is for. */
export class MessageStreamReader {
  private usage: Json = {};
  private isCallOpen = false;
  private hasArgs = false;
  private isOver = false;
  hasFailed = false;

  constructor(private readonly sink: ReplySink) {}

  readonly event = (data: string): void => {
    if (this.isOver) return;
    const event = parseAnswer(data);
    switch (event.type) {
      case 'content_block_delta':
        return this.delta(nested(event.delta));
      case 'content_block_start':
        // Only here may arguments stand as an object.
        return this.block(nested(parseAnswer(data, true).content_block));
      case 'content_block_stop':
        return this.blockEnd();
      case 'message_start':
        return this.start(nested(event.message));
      case 'message_delta':
        return this.messageDelta(event);
      case 'message_stop':
        this.isOver = true;
        return this.sink.end();
      case 'error':
        this.isOver = true;
        this.hasFailed = true;
        return this.sink.fail(faultOf(event.error, null));
      default:
        return; // ping, and what is yet to come
    }
  };

  close(): boolean {
    return this.isOver;
  }

  private start(message: Json): void {
    this.merge(nested(message.usage));
    this.sink.start({ id: stringOf(message.id), model: stringOf(message.model), createdAtSeconds: null });
    this.sink.usage(usageOfMessage(this.usage));
  }

  private block(block: Json): void {
    switch (block.type) {
      case 'text':
        if (typeof block.text === 'string' && block.text !== '') this.sink.text(block.text);
        return;
      case 'redacted_thinking':
        return this.sink.signature({ by: 'anthropic_redacted', value: stringOf(block.data) ?? '' });
      case 'tool_use': {
        this.isCallOpen = true;
        this.sink.call({ id: stringOf(block.id), name: stringOf(block.name) ?? '', isCustom: false, signature: null });
        // Compatible servers may send the whole input at once.
        const input = JSON.stringify(block.input ?? {});
        this.hasArgs = input !== '{}';
        if (this.hasArgs) this.sink.args(input);
      }
    }
  }

  private delta(delta: Json): void {
    switch (delta.type) {
      case 'text_delta':
        return this.sink.text(stringOf(delta.text) ?? '');
      case 'thinking_delta':
        if (delta.thinking !== '') this.sink.thinking(stringOf(delta.thinking) ?? '');
        return;
      case 'signature_delta':
        return this.sink.signature(readSignature(stringOf(delta.signature) ?? '', 'anthropic'));
      case 'input_json_delta': {
        const json = stringOf(delta.partial_json) ?? '';
        if (!this.isCallOpen || json === '') return;
        this.hasArgs = true;
        this.sink.args(json);
      }
    }
  }

  private blockEnd(): void {
    if (!this.isCallOpen) return;
    // A tool without parameters streams no input; everywhere else that is an empty object.
    if (!this.hasArgs) this.sink.args('{}');
    this.isCallOpen = false;
    this.sink.callEnd();
  }

  private messageDelta(event: Json): void {
    const delta = nested(event.delta);
    this.merge(nested(event.usage));
    this.sink.usage(usageOfMessage(this.usage));
    if (typeof delta.stop_reason === 'string')
      this.sink.finish(finishOfMessage(delta.stop_reason), stringOf(delta.stop_sequence));
  }

  /** The last value of every field counts; nulls say nothing. */
  private merge(usage: Json): void {
    for (const [name, value] of Object.entries(usage)) if (value !== null) this.usage[name] = value;
  }
}
