import { AppError } from '#libs/platform/errors.js';
import { count, nested } from '../usage.js';
import { parseExactly } from './exact-json.js';
import { isObject } from './fields.js';
import type { AnswerHead } from './answer-model.js';
import type { Json, ReplyContext } from './request-model.js';

/** What readers and writers of answers share. A provider's answer is read leniently: what is missing is taken as absent. */

export { count, nested };

export function stringOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** What servers leave empty is as good as absent. */
export function textOf(value: unknown): string | null {
  return value === '' ? null : stringOf(value);
}

export function objectsOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/**
 * An answer or an event. `exactly` where it may hold a call's arguments as an object, whose long numbers must stay.
 * @throws AppError `upstream_invalid`
 */
export function parseAnswer(text: string, exactly = false): Json {
  try {
    const value: unknown = exactly ? parseExactly(text) : JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // the error below says the same
  }
  throw new AppError('upstream_invalid');
}

/** An answer whose arguments cannot be understood must not reach a program that would act on them. */
export function badArguments(name: string): AppError {
  return badOutput(`The model called "${name}" with arguments that are not a JSON object.`);
}

/** The model failed to write what it wanted: the provider is well, and another answer may be. */
export function badOutput(text: string): AppError {
  return new AppError('upstream_bad_output', { text });
}

/** The id of an answer in a dialect that begins its ids with `prefix`; the provider's own stays recognisable. */
export function answerId(head: AnswerHead, context: ReplyContext, prefix: string): string {
  const id = head.id ?? context.requestId;
  return id.startsWith(prefix) ? id : `${prefix}${id}`;
}
