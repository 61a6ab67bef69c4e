import type { KeyRecord } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';
import { isFreeOperation, isPriced } from '#libs/pricing/index.js';
import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';

/** Operations that no provider charges for. */
export function isFree(operation: Exchange['operation']): boolean {
  return operation !== null && isFreeOperation(operation);
}

/**
 * Before stage 7, only when the configuration refuses unpriced models: targets whose cost could not be counted are left out;
 * without any other the call is refused. (What a hard budget refuses for want of a price, `reserve` does.)
 * @throws AppError `model_unpriced`
 */
export function requirePrice(exchange: Exchange, key: KeyRecord, plane: DataPlane): void {
  if (isFree(exchange.operation)) return;
  const overrides = exchange.snapshot.priceOverrides.of(key.orgId);
  const priced = exchange.candidates.filter(({ target }) =>
    isPriced(plane.prices, target.provider, target.model, exchange.startedAtMs, overrides),
  );
  if (priced.length === 0) throw new AppError('model_unpriced', { param: 'model' });
  exchange.candidates = priced;
}
