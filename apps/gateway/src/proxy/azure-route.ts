import type { Operation } from '#libs/dialects/index.js';
import { AppError } from '#libs/platform/errors.js';
import { decode, type Exchange } from './exchange.js';

/** Where Azure's own client calls: it puts the deployment, which is the model, into the path. */
export const DEPLOYMENTS_ROUTE = '/v1/deployments/*';

const OPERATIONS: readonly (readonly [string, Operation])[] = [
  ['/chat/completions', 'chat'],
  ['/completions', 'completions'],
  ['/embeddings', 'embeddings'],
];

/**
 * What a path `…/deployments/{model}/chat/completions` asks for. Its `api-version` is Azure's business, not the upstream's.
 * @throws AppError `route_not_found`
 */
export function deploymentOperation(exchange: Exchange): Operation {
  const operation = OPERATIONS.find(([path]) => exchange.path.endsWith(path))?.[1];
  if (operation === undefined || deploymentOf(exchange) === '') throw new AppError('route_not_found');
  exchange.query = '';
  return operation;
}

/** The model of the body must be that of the path: which of two a policy should look at would be a guess. */
export function checkDeployment(exchange: Exchange): void {
  if (deploymentOf(exchange) === exchange.modelRequested) return;
  const text = 'The deployment in the path and "model" in the body must be the same name.';
  throw new AppError('invalid_request', { text, param: 'model' });
}

function deploymentOf(exchange: Exchange): string {
  const rest = exchange.path.slice(DEPLOYMENTS_ROUTE.length - 1);
  return decode(rest.slice(0, Math.max(0, rest.indexOf('/'))));
}
