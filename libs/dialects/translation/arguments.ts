import { parseExactly } from './exact-json.js';
import { isObject, refuse } from './fields.js';
import type { CallPart, Json } from './request-model.js';

/** A call's arguments in a history, as the object other dialects want. Free text goes under `input`. */
export function argsObject(call: CallPart): Json {
  if (call.isCustom) return { input: call.args };
  const parsed = parseArgs(call.args);
  if (parsed === null) throw refuse(call.at, `The arguments of "${call.at}" must be a JSON object.`);
  return parsed;
}

/** Arguments as models write them; nothing at all means none. `null`: not a JSON object. */
export function parseArgs(args: string): Json | null {
  if (args.trim() === '') return {};
  try {
    const value = parseExactly(args);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** The free text in the arguments of a tool that was offered as a function, or the arguments as they are. */
export function freeText(args: string): string {
  const input = parseArgs(args)?.input;
  return typeof input === 'string' ? input : args;
}
