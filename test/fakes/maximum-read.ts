import { maxTokensEdits, REQUEST_FIELDS, scanObject, splice, type Operation } from '#libs/dialects/index.js';
import type { PricedModel as Model } from './priced-models.js';

/** The maximum that a provider reads in chat requests. */
export const chatMaximumOf = ({ provider }: Model) =>
  provider.type === 'openai' ? 'max_completion_tokens' : 'max_tokens';

/** The maximum a provider takes from what is sent to it; a name it does not read says nothing to it. */
export function maximumRead(model: Model, operation: Operation, body: Buffer, written: number | null): number {
  const dialect = operation === 'messages' ? 'anthropic' : operation === 'generate' ? 'gemini' : 'openai';
  const scanned = scanObject(body, REQUEST_FIELDS[dialect]);
  const edits = written === null ? [] : maxTokensEdits(operation, body, scanned, written, chatMaximumOf(model));
  const sent = JSON.parse(splice(body, edits).toString()) as Record<string, number | undefined> & {
    generationConfig?: { maxOutputTokens?: number };
  };
  const { max_tokens: older, max_completion_tokens: newer = 0, max_output_tokens: ofResponse } = sent;
  if (operation === 'generate') return sent.generationConfig?.maxOutputTokens ?? Infinity;
  if (operation === 'responses') return ofResponse ?? Infinity;
  if (operation !== 'chat') return older ?? Infinity;
  if (model.provider.type === 'openai') return newer > 0 ? newer : (older ?? Infinity);
  return older === undefined ? Infinity : Math.max(older, newer); // some servers read both
}
