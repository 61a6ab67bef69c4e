import type { KeyRecord } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';
import type { Target } from '#libs/routing/index.js';
import { mayUse } from './authorize.js';
import type { Exchange } from './exchange.js';

/**
 * Stage 4: where the model leads and whether the key may go there. A model that does not exist and one the key may not use
 * get the same answer, so that a key cannot find out what others have.
 * @throws AppError `model_not_found` or `wrong_dialect`
 */
export function resolve(exchange: Exchange, key: KeyRecord): Target {
  const target = exchange.snapshot.models.resolve(exchange.modelRequested);
  if (target === null || !mayUse(key, target)) {
    throw new AppError('model_not_found', {
      text: `The model "${shown(exchange.modelRequested)}" does not exist or this key may not use it.`,
      param: 'model',
    });
  }
  if (!target.provider.speaks(exchange.endpoint.dialect.name, target.model)) {
    const served = [...target.provider.dialects]
      .filter((name) => target.provider.speaks(name, target.model))
      .join(', ');
    throw new AppError('wrong_dialect', {
      text: `The model "${shown(exchange.modelRequested)}" speaks ${served} and cannot be reached through this route yet.`,
      param: 'model',
    });
  }
  exchange.target = target;
  return target;
}

/** A name from a caller, fit for an error text. */
function shown(name: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is taken out
  const unfit = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;
  return name.toWellFormed().replace(unfit, '?').slice(0, 100);
}
