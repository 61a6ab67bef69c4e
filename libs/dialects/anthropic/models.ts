import type { ListedModel } from '../dialect.js';

const LONG_CONTEXT_TOKENS = 1_000_000;
const EPOCH = '1970-01-01T00:00:00Z';

function wire(id: string): object {
  return { type: 'model', id, display_name: id, created_at: EPOCH };
}

/**
 * `GET /v1/models` in Anthropic's shape. A model with a context of 1M tokens or more gets a sibling `<id>[1m]`: behind a
 * gateway Claude Code assumes the long window only when the id in its own hands ends that way (LLM-6).
 */
export function renderAnthropicModels(models: readonly ListedModel[]): string {
  const ids = models.flatMap((model) =>
    (model.contextTokens ?? 0) >= LONG_CONTEXT_TOKENS ? [model.id, `${model.id}[1m]`] : [model.id],
  );
  return JSON.stringify({
    data: ids.map(wire),
    has_more: false,
    first_id: ids[0] ?? null,
    last_id: ids.at(-1) ?? null,
  });
}

/** `GET /v1/models/{id}`. */
export function renderAnthropicModel(model: ListedModel): string {
  return JSON.stringify(wire(model.id));
}
