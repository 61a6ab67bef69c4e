import { isErrorRoot } from '../../stream-error.js';
import { nested, objectsOf, parseAnswer, stringOf, textOf } from '../answers.js';
import type { FinishReason, ReplySink } from '../answer-model.js';
import { faultOf } from '../faults.js';
import { HeldText } from '../held-text.js';
import type { Json } from '../request-model.js';
import { finishOfChat, signatureOfCall, usageOfChat } from './read-answer.js';

/** A call as its first piece told it, and its arguments as far as they wait. */
interface Told {
  readonly first: Json;
  readonly index: unknown;
  readonly id: string | null;
  readonly name: string | null;
  args: string;
}

/**
 * A stream of chat chunks. Calls may be told in turns (`index` says which); the first that is open goes through at once, the
 * others wait until it is over, for the other dialects know no interleaving.
 */
export class ChatStreamReader {
  private isStarted = false;
  /** The first of them is open; emptied by the finish. */
  private readonly calls: Told[] = [];
  private readonly late: { kind: 'thinking' | 'text' | 'refusal'; text: string }[] = [];
  private readonly bound = new HeldText();
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
    if (isErrorRoot(chunk)) return this.fail(chunk.error);
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
    if (this.calls.length === 0) this.sink[kind](text);
    else this.late.push({ kind, text: this.bound.hold(text) });
  }

  private callDelta(call: Json): void {
    const inner = nested(call.custom ?? call.function);
    const args = stringOf(call.custom === undefined ? inner.arguments : inner.input) ?? '';
    const name = textOf(inner.name);
    this.hasCalls = true;
    const told = this.toldBefore(call.index, textOf(call.id), name) ?? this.tell(call, name);
    if (told !== this.calls[0]) told.args += this.bound.hold(args);
    else if (args !== '') this.args(args);
  }

  /**
   * The call that a piece goes on with. Servers leave `index` out or give each call the same one, so another id or name is
   * another call, and a name with neither index nor id always is.
   */
  private toldBefore(index: unknown, id: string | null, name: string | null): Told | undefined {
    const hasIndex = typeof index === 'number';
    const isHere = (one: Told): boolean => !hasIndex || one.index === index;
    const latest = this.calls.findLast(isHere);
    const same = id === null ? latest : this.calls.findLast((one) => one.id === id && isHere(one));
    if (name === null) return same ?? latest;
    return (hasIndex || id !== null) && same?.name === name ? same : undefined;
  }

  private tell(call: Json, name: string | null): Told {
    const told = { first: call, index: call.index, id: textOf(call.id), name, args: '' };
    this.calls.push(told);
    if (this.calls.length === 1) this.open(call);
    else this.bound.hold(JSON.stringify(call));
    return told;
  }

  private open(call: Json): void {
    const isCustom = call.type === 'custom' || call.custom !== undefined;
    const name = stringOf(nested(isCustom ? call.custom : call.function).name) ?? '';
    this.hasArgs = isCustom;
    this.sink.call({ id: textOf(call.id), name, isCustom, signature: signatureOfCall(call) });
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
    for (const [at, { first, args }] of this.calls.splice(0).entries()) {
      if (at > 0) this.open(first);
      if (args !== '') this.args(args);
      this.callEnd();
    }
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
