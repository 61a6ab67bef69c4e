import type { Dropped, Fields } from '../fields.js';
import { refuse } from '../fields.js';
import type { ChatRequest, Effort, Json, Setting } from '../request-model.js';

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

/** Lists what only OpenAI understands, for the writers of the other dialects. */
export function dropOpenAiOnly(request: ChatRequest, dropped: Dropped): void {
  for (const [name, value] of Object.entries(request.openAiOnly))
    if (!(SHARED[name] ?? []).includes(value)) dropped.add(name);
  for (const turn of request.turns) {
    if (turn.role !== 'user') continue;
    for (const part of turn.parts)
      if (part.kind === 'image' && part.detail !== null && part.detail !== 'auto') dropped.add(`${part.at}:detail`);
  }
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
