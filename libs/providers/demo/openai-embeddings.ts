import { tokensOf } from './ask.js';
import { behaviourAt, type DemoHandler } from './call.js';
import { embed, MAX_DIMENSIONS, toBase64 } from './embedding.js';
import { DemoFault } from './fault.js';
import { type Fields, integerAt } from './fields.js';
import { isTokens } from './openai-completions.js';
import { openaiHeaders } from './openai-errors.js';

const MAX_INPUTS = 2048;

/** `POST /v1/embeddings`; any demo model embeds. */
export const embeddings: DemoHandler = (call) => {
  const { model, behaviour } = behaviourAt(call.body['model']);
  const dimensions = integerAt(call.body, 'dimensions', 1, MAX_DIMENSIONS) ?? undefined;
  const format = call.body['encoding_format'] ?? 'float';
  if (format !== 'float' && format !== 'base64') {
    throw new DemoFault(400, "Invalid value for 'encoding_format': expected 'float' or 'base64'.", {
      param: 'encoding_format',
    });
  }
  const inputs = readInputs(call.body);
  const data = inputs.map((input, index) => {
    const vector = embed(typeof input === 'string' ? input : input.join(' '), dimensions);
    return { object: 'embedding', index, embedding: format === 'base64' ? toBase64(vector) : [...vector] };
  });
  const tokens = inputs.reduce(
    (sum, input) => sum + (typeof input === 'string' ? tokensOf(input.length) : input.length),
    0,
  );
  const usage = { prompt_tokens: tokens, total_tokens: tokens };
  return { kind: 'json', behaviour, headers: openaiHeaders(call.digest), body: { object: 'list', data, model, usage } };
};

/** A text, token ids, or up to 2,048 of either. */
function readInputs(body: Fields): readonly (string | readonly number[])[] {
  const given = body['input'];
  const list: unknown = typeof given === 'string' || isTokens(given) ? [given] : given;
  const isValid = (input: unknown): input is string | number[] =>
    (typeof input === 'string' && input !== '') || isTokens(input);
  if (!Array.isArray(list) || list.length === 0 || list.length > MAX_INPUTS || !list.every(isValid)) {
    throw new DemoFault(
      400,
      `'$.input' is invalid: expected a non-empty text, tokens, or up to ${MAX_INPUTS} of them.`,
      { param: 'input' },
    );
  }
  return list;
}
