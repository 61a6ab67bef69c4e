import type { ListedModel } from '../dialect.js';

function wire(model: ListedModel): object {
  return { id: model.id, object: 'model', created: 0, owned_by: model.provider };
}

/** `GET /v1/models`. `created` is 0: the gateway does not know when a provider made its model. */
export function renderOpenAiModels(models: readonly ListedModel[]): string {
  return JSON.stringify({ object: 'list', data: models.map(wire) });
}

/** `GET /v1/models/{id}`. */
export function renderOpenAiModel(model: ListedModel): string {
  return JSON.stringify(wire(model));
}
