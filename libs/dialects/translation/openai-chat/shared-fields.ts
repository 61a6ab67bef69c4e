import type { Dropped, Fields } from '../fields.js';
import { refuse } from '../fields.js';
import type { ChatRequest, Effort, Json, MediaPart, Setting } from '../request-model.js';

/** What OpenAI's two dialects, chat and Responses, have in common. */

export const EFFORTS: readonly Effort[] = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'];

/** Fields with the same name and meaning in both, and their values that change nothing elsewhere. */
const SHARED: Readonly<Record<string, readonly unknown[]>> = {
  metadata: [],
  store: [false],
  service_tier: ['auto', 'default'],
  prompt_cache_key: [],
  prompt_cache_retention: [],
  prompt_cache_options: [],
  safety_identifier: [],
  top_logprobs: [0],
  moderation: [],
};

/** `verbosity` stands at the top in chat and under `text` in Responses; the Responses reader adds it by itself. */
export function readOpenAiOnly(fields: Fields): Json {
  const found: Json = {};
  for (const name of [...Object.keys(SHARED), 'verbosity']) {
    const value = fields.raw(name);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

/** What stands beside the schema of an answer; other dialects take the schema alone, and always keep to it. */
function dropSchemaNotes({ format }: ChatRequest, dropped: Dropped): void {
  if (format?.value.kind !== 'schema') return;
  const { name, description, isStrict } = format.value;
  if (name !== null) dropped.add(`${format.at}.name`);
  if (description !== null) dropped.add(`${format.at}.description`);
  if (isStrict === false) dropped.add(`${format.at}.strict`);
}

/** Lists what only OpenAI understands, for the writers of the other dialects. */
export function dropOpenAiOnly(request: ChatRequest, dropped: Dropped): void {
  for (const [name, value] of Object.entries(request.openAiOnly))
    if (!(SHARED[name] ?? []).includes(value)) dropped.add(name);
  dropSchemaNotes(request, dropped);
  for (const turn of request.turns) {
    if (turn.role !== 'user') continue;
    for (const part of turn.parts)
      if (part.kind === 'image' && part.detail !== null && part.detail !== 'auto') dropped.add(`${part.at}:detail`);
  }
}

/**
 * The name OpenAI wants beside a file's data.
 * @throws AppError `invalid_request` for a video, and for data that is no PDF and that nothing names
 */
export function fileName({ source, name, at }: MediaPart): { filename?: string } {
  const type = source.kind === 'id' ? null : source.mediaType;
  const isUnknown = source.kind === 'data' && name === null && type !== 'application/pdf';
  if (isUnknown || type?.startsWith('video/') === true) throw refuse(at, `"${at}" must be a PDF for this model.`);
  if (name !== null) return { filename: name };
  return source.kind === 'data' ? { filename: 'document.pdf' } : {};
}

export function readTemperature(fields: Fields): Setting<number> | null {
  const setting = fields.numberSetting('temperature');
  if (setting !== null && (setting.value < 0 || setting.value > 2))
    throw refuse(setting.at, `"${setting.at}" must be between 0 and 2.`);
  return setting;
}

/** OpenAI refuses a schema of an object that does not say its properties. */
export function withProperties(schema: Json): Json {
  return schema.type === 'object' && schema.properties === undefined ? { ...schema, properties: {} } : schema;
}
