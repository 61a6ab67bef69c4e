import type { KeyRecord } from '#libs/keys-budgets/index.js';
import type { ListedModel } from '#libs/dialects/index.js';
import { AppError } from '#libs/platform/errors.js';
import { mayUse } from './authorize.js';
import { decode, type Exchange } from './exchange.js';

/** Endpoints the gateway answers itself: the models a key may use, and Claude Code's greeting, which comes without a key. */
export function answerListing(exchange: Exchange, key: KeyRecord | null): void {
  const { endpoint } = exchange;
  if (key === null) return send(exchange, '');
  if (endpoint.operation === 'models') return send(exchange, endpoint.dialect.renderModels(usable(exchange, key)));
  const id = decode(exchange.path.slice(endpoint.route.length - 1));
  const bare = id.endsWith('[1m]') ? id.slice(0, -4) : id;
  const model = usable(exchange, key).find((candidate) => candidate.id === bare);
  if (model === undefined) throw new AppError('model_not_found');
  send(exchange, endpoint.dialect.renderModel({ ...model, id }));
}

/** What the key may call through this dialect. */
function usable(exchange: Exchange, key: KeyRecord): ListedModel[] {
  const { models } = exchange.snapshot;
  return models.list().filter((model) => {
    const target = models.resolve(model.id);
    return target !== null && target.provider.dialects.has(exchange.endpoint.dialect.name) && mayUse(key, target);
  });
}

function send(exchange: Exchange, json: string): void {
  const body = Buffer.from(json);
  const type = json === '' ? {} : { 'content-type': 'application/json; charset=utf-8' };
  exchange.response.writeHead(200, { ...type, 'content-length': body.length, 'x-request-id': exchange.id });
  exchange.response.end(exchange.request.method === 'HEAD' ? undefined : body);
}
