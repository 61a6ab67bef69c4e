import { isErrorRoot } from '../../stream-error.js';
import { badArguments, nested, objectsOf, parseAnswer, stringOf } from '../answers.js';
import { isObject } from '../fields.js';
import type { ReplySink } from '../answer-model.js';
import { faultOf } from '../faults.js';
import type { Json } from '../request-model.js';
import { finishOfCandidate, headOf, signatureOfPart, usageOfGemini } from './read-answer.js';

/** A stream of generateContent answers (`alt=sse`). There is no last frame: a finish or block reason is the end. */
export class GenerateStreamReader {
  private isStarted = false;
  private hasCalls = false;
  private isFinished = false;
  private isOver = false;
  hasFailed = false;

  constructor(private readonly sink: ReplySink) {}

  readonly event = (data: string): void => {
    if (this.isOver) return;
    const chunk = parseAnswer(data, data.includes('"functionCall"'));
    if (isErrorRoot(chunk)) {
      this.isOver = true;
      this.hasFailed = true;
      return this.sink.fail(faultOf(chunk.error, null));
    }
    if (!this.isStarted) {
      this.isStarted = true;
      this.sink.start(headOf(chunk));
    }
    const candidate = nested(objectsOf(chunk.candidates)[0]);
    for (const part of objectsOf(nested(candidate.content).parts)) this.part(part);
    const usage = usageOfGemini(chunk.usageMetadata);
    if (usage !== null) this.sink.usage(usage);
    this.reason(chunk, candidate);
  };

  /** Usage may come behind the reason, so the end is only known when the bytes are over. */
  close(): boolean {
    if (!this.isOver && this.isFinished) {
      this.isOver = true;
      this.sink.end();
    }
    return this.isOver;
  }

  private part(part: Json): void {
    const signature = signatureOfPart(part);
    const call = nested(part.functionCall);
    if (typeof call.name === 'string') {
      this.hasCalls = true;
      this.sink.call({ id: stringOf(call.id), name: call.name, isCustom: false, signature });
      if (!isObject(call.args ?? {})) throw badArguments(call.name);
      this.sink.args(JSON.stringify(call.args ?? {}));
      return this.sink.callEnd();
    }
    const text = stringOf(part.text) ?? '';
    if (part.thought === true && text !== '') this.sink.thinking(text);
    if (signature !== null) this.sink.signature(signature);
    if (part.thought !== true && text !== '') this.sink.text(text);
  }

  private reason(chunk: Json, candidate: Json): void {
    const reason = stringOf(candidate.finishReason);
    const isBlocked = reason === null && stringOf(nested(chunk.promptFeedback).blockReason) !== null;
    if ((reason === null && !isBlocked) || this.isFinished) return;
    const finish = isBlocked ? 'content_filter' : finishOfCandidate(candidate, reason as string, this.hasCalls);
    this.isFinished = true;
    this.sink.finish(finish, null);
  }
}
