import type { DialectName, ListedModel, Operation } from '#libs/dialects/index.js';
import type { KeyRecord } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';
import type { Target } from '#libs/routing/index.js';
import { mayUse } from './authorize.js';
import type { DataPlane } from './data-plane.js';
import { decode, type Exchange } from './exchange.js';
import { wayTo } from './way.js';
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
  const chains = chainsFor(exchange, key);
  send(exchange, plane, exchange.endpoint.dialect.renderModels([...chains, ...usable]));
}

/** `GET …/models/{id}`: also a model that is not listed but would be served, such as a dated name. */
export function answerModel(exchange: Exchange, key: KeyRecord, plane: DataPlane): void {
  const { endpoint, snapshot } = exchange;
  const id = decode(exchange.path.slice(endpoint.route.length - 1));
  const chain = chainsFor(exchange, key).find((one) => one.id === id);
  if (chain !== undefined) return send(exchange, plane, endpoint.dialect.renderModel(chain));
  const target = snapshot.models.resolve(id);
  if (target === null || !isUsable(exchange, key, target)) throw new AppError('model_not_found');
  const listed = snapshot.models.list().find((model) => model.id === target.requested);
  const model: ListedModel = { provider: target.provider.name, contextTokens: null, ...listed, id };
  send(exchange, plane, endpoint.dialect.renderModel(model));
}

/** Chains that the key may name as a model. Their context is the largest that surely all of their targets have. */
function chainsFor({ snapshot, endpoint }: Exchange, key: KeyRecord): ListedModel[] {
  const { chains, models } = snapshot;
  return [...chains.names(key.orgId)]
    .filter((name) => key.mayUseModel(name) && models.resolve(name) === null)
    .flatMap((name) => {
      const targets = chains.planOf(key.orgId, name)?.steps.flatMap((step) => step.targets) ?? [];
      if (!targets.some(({ target }) => isReached(endpoint.dialect.name, target))) return [];
      const sizes = targets.map(({ contextTokens }) => contextTokens);
      const known = sizes.filter((tokens) => tokens !== null);
      return [
        { id: name, provider: 'smartflow', contextTokens: known.length < sizes.length ? null : Math.min(...known) },
      ];
    });
}

/** In its own dialect or by translation: every dialect has a format that is translated to each other. */
const WHOLE: Readonly<Record<DialectName, Operation>> = { openai: 'chat', anthropic: 'messages', gemini: 'generate' };

function isReached(dialect: DialectName, target: Target): boolean {
  return (
    target.provider.speaks(dialect, target.model) ||
    wayTo({ operation: WHOLE[dialect], stream: false }, target) !== null
  );
}

function isUsable({ endpoint }: Exchange, key: KeyRecord, target: Target | null): boolean {
  return target !== null && isReached(endpoint.dialect.name, target) && mayUse(key, target);
}

function send(exchange: Exchange, plane: DataPlane, json: string | null): void {
  const body = Buffer.from(json ?? '');
  const type = json === null ? {} : { 'content-type': 'application/json; charset=utf-8' };
  exchange.response.writeHead(200, { ...type, ...ownHeaders(exchange, plane), 'content-length': body.length });
  exchange.response.end(exchange.request.method === 'HEAD' ? undefined : body);
}
