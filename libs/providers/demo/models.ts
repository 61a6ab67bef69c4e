import { LISTED_MODELS, behaviourOf } from './behaviour.js';
import { CREATED_S, type DemoReply } from './call.js';
import { DemoFault } from './fault.js';

const CREATED_AT = new Date(CREATED_S * 1000).toISOString().replace('.000Z', 'Z');
const WINDOW_TOKENS = 1_000_000;
const MAX_OUTPUT_TOKENS = 128_000;

interface ModelShape {
  list(models: readonly object[]): object;
  model(id: string): object;
}

const openai: ModelShape = {
  list: (data) => ({ object: 'list', data }),
  model: (id) => ({ id, object: 'model', created: CREATED_S, owned_by: 'demo' }),
};

const anthropic: ModelShape = {
  list: (data) => ({ data, has_more: false, first_id: LISTED_MODELS[0], last_id: LISTED_MODELS.at(-1) }),
  model: (id) => ({ type: 'model', id, display_name: `Demo ${id}`, created_at: CREATED_AT }),
};

const gemini: ModelShape = {
  list: (models) => ({ models }),
  model: (id) => ({
    name: `models/${id}`,
    version: '1',
    displayName: `Demo ${id}`,
    inputTokenLimit: WINDOW_TOKENS,
    outputTokenLimit: MAX_OUTPUT_TOKENS,
    supportedGenerationMethods: ['generateContent', 'countTokens', 'embedContent'],
  }),
};

const SHAPES = { openai, anthropic, gemini };

/** The list of models, or the one named by the path's last part. */
export function listModels(dialect: keyof typeof SHAPES, model: string | null): DemoReply {
  const shape = SHAPES[dialect];
  if (model === null)
    return { kind: 'json', behaviour: null, body: shape.list(LISTED_MODELS.map((id) => shape.model(id))) };
  if (behaviourOf(model) === null)
    throw new DemoFault(404, `The model '${model.slice(0, 128)}' does not exist.`, {
      param: 'model',
      code: 'model_not_found',
    });
  return { kind: 'json', behaviour: null, body: shape.model(model) };
}
