import type { KeyRecord } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';
import { isPriced } from '#libs/pricing/index.js';
import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';

const FREE: ReadonlySet<string> = new Set(['count_tokens', 'gemini_count_tokens']);

/** Operations that no provider charges for. */
export function isFree(operation: Exchange['operation']): boolean {
  return operation !== null && FREE.has(operation);
}

/**
 * Part of stage 7: targets whose cost could not be counted are left out, when the configuration says so; without any other
 * the call is refused.
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
