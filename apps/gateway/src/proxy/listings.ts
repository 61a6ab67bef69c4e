import type { ListedModel } from '#libs/dialects/index.js';
import type { KeyRecord } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';
import type { Target } from '#libs/routing/index.js';
import { mayUse } from './authorize.js';
import type { DataPlane } from './data-plane.js';
import { decode, type Exchange } from './exchange.js';
import { ownHeaders } from './response-headers.js';

/** Claude Code's greeting: it only asks whether somebody is there, without a key. */
export function answerHello(exchange: Exchange, plane: DataPlane): void {
  send(exchange, plane, null);
}

/** `GET …/models`: what the key may call through this dialect. */
export function answerModels(exchange: Exchange, key: KeyRecord, plane: DataPlane): void {
  const usable = exchange.snapshot.models
    .list()
    .filter((model) => isUsable(exchange, key, exchange.snapshot.models.resolve(model.id)));
  send(exchange, plane, exchange.endpoint.dialect.renderModels(usable));
}

/** `GET …/models/{id}`: also a model that is not listed but would be served, such as a dated name. */
export function answerModel(exchange: Exchange, key: KeyRecord, plane: DataPlane): void {
  const { endpoint, snapshot } = exchange;
  const id = decode(exchange.path.slice(endpoint.route.length - 1));
  const target = snapshot.models.resolve(id);
  if (target === null || !isUsable(exchange, key, target)) throw new AppError('model_not_found');
  const listed = snapshot.models.list().find((model) => model.id === target.requested);
  const model: ListedModel = { provider: target.provider.name, contextTokens: null, ...listed, id };
  send(exchange, plane, endpoint.dialect.renderModel(model));
}

function isUsable(exchange: Exchange, key: KeyRecord, target: Target | null): boolean {
  return target !== null && target.provider.speaks(exchange.endpoint.dialect.name, target.model) && mayUse(key, target);
}

function send(exchange: Exchange, plane: DataPlane, json: string | null): void {
  const body = Buffer.from(json ?? '');
  const type = json === null ? {} : { 'content-type': 'application/json; charset=utf-8' };
  exchange.response.writeHead(200, { ...type, ...ownHeaders(exchange, plane), 'content-length': body.length });
  exchange.response.end(exchange.request.method === 'HEAD' ? undefined : body);
}
