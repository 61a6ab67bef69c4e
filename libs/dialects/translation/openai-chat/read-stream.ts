import { nested, objectsOf, parseAnswer, stringOf } from '../answers.js';
import type { FinishReason, ReplySink } from '../answer-model.js';
import { faultOf } from '../faults.js';
import type { Json } from '../request-model.js';
import { finishOfChat, signatureOfCall, usageOfChat } from './read-answer.js';

interface Waiting {
  readonly index: number;
  call: Json;
  args: string;
}

/**
 * A stream of chat chunks. Calls may be told in turns (`index` says which); the first that is open goes through at once, the
 * others wait until it is over, for the other dialects know no interleaving. What waits is bounded by what a model may answer.
 */
export class ChatStreamReader {
  private isStarted = false;
  private liveIndex: number | null = null;
  private readonly waiting: Waiting[] = [];
  private readonly late: { kind: 'thinking' | 'text' | 'refusal'; text: string }[] = [];
  private hasCalls = false;
  private hasArgs = false;
  private reason: FinishReason | null = null;
  private isOver = false;
  hasFailed = false;

  constructor(private readonly sink: ReplySink) {}

  /** One event's data. */
  readonly event = (data: string): void => {
    if (this.isOver) return;
    if (data === '[DONE]') return this.end();
    const chunk = parseAnswer(data);
    if (chunk.error !== undefined && chunk.error !== null) return this.fail(chunk.error);
    const choice = objectsOf(chunk.choices)[0];
    if (choice !== undefined) {
      if (!this.isStarted) this.start(chunk);
      this.choice(choice);
    }
    const usage = chunk.usage === undefined || chunk.usage === null ? null : usageOfChat(chunk.usage);
    if (usage !== null) this.sink.usage(usage);
  };

  /** The bytes are over; some servers leave `[DONE]` out. Returns whether that was a proper end. */
  close(): boolean {
    if (!this.isOver && this.reason !== null) this.end();
    return this.isOver;
  }

  private start(chunk: Json): void {
    this.isStarted = true;
    const created = chunk.created;
    this.sink.start({
      id: stringOf(chunk.id),
      model: stringOf(chunk.model),
      createdAtSeconds: typeof created === 'number' ? created : null,
    });
  }

  private choice(choice: Json): void {
    if (typeof choice.index === 'number' && choice.index !== 0) return;
    const delta = nested(choice.delta);
    const thinking = delta.reasoning_content ?? delta.reasoning;
    if (typeof thinking === 'string' && thinking !== '') this.say('thinking', thinking);
    if (typeof delta.content === 'string' && delta.content !== '') this.say('text', delta.content);
    if (typeof delta.refusal === 'string' && delta.refusal !== '') this.say('refusal', delta.refusal);
    if (delta.tool_calls !== undefined && delta.tool_calls !== null)
      objectsOf(delta.tool_calls).forEach((call) => this.callDelta(call));
    const reason = choice.finish_reason;
    if (typeof reason !== 'string' || this.reason !== null) return;
    if (reason === 'error') return this.fail(chunkError(choice));
    this.finish(reason);
  }

  /** What is said while a call is open waits for its end, too. */
  private say(kind: 'thinking' | 'text' | 'refusal', text: string): void {
    if (this.liveIndex === null) this.sink[kind](text);
    else this.late.push({ kind, text });
  }

  private callDelta(call: Json): void {
    const index = typeof call.index === 'number' ? call.index : this.waiting.length;
    const inner = nested(call.custom ?? call.function);
    const args = stringOf(call.custom === undefined ? inner.arguments : inner.input) ?? '';
    this.hasCalls = true;
    if (this.liveIndex === null) {
      this.liveIndex = index;
      this.open(call);
    }
    if (index === this.liveIndex) {
      if (args !== '') this.args(args);
      return;
    }
    const waiting = this.waiting.find((one) => one.index === index);
    if (waiting === undefined) this.waiting.push({ index, call, args });
    else waiting.args += args;
  }

  private open(call: Json): void {
    const isCustom = call.type === 'custom' || call.custom !== undefined;
    const name = stringOf(nested(isCustom ? call.custom : call.function).name) ?? '';
    this.hasArgs = isCustom;
    this.sink.call({ id: stringOf(call.id), name, isCustom, signature: signatureOfCall(call) });
  }

  private args(text: string): void {
    this.hasArgs = true;
    this.sink.args(text);
  }

  /** No arguments at all are an empty object. */
  private callEnd(): void {
    if (!this.hasArgs) this.sink.args('{}');
    this.sink.callEnd();
  }

  private finish(reason: string): void {
    if (this.liveIndex !== null) this.callEnd();
    for (const { call, args } of this.waiting.splice(0)) {
      this.open(call);
      if (args !== '') this.args(args);
      this.callEnd();
    }
    this.liveIndex = null;
    for (const { kind, text } of this.late.splice(0)) this.sink[kind](text);
    const read = finishOfChat(reason);
    this.reason = read === 'stop' && this.hasCalls ? 'tool_calls' : read;
    this.sink.finish(this.reason, null);
  }

  private fail(error: unknown): void {
    this.isOver = true;
    this.hasFailed = true;
    this.sink.fail(faultOf(error, null));
  }

  private end(): void {
    // `[DONE]` without a reason is no end: the last answer of a server that gave up.
    if (this.reason === null) return;
    this.isOver = true;
    this.sink.end();
  }
}

function chunkError(choice: Json): unknown {
  return choice.error ?? { message: 'The model provider ended its answer with an error.' };
}
