import { AppError } from '#libs/platform/errors.js';
import type { KeyRecord } from '#libs/keys-budgets/index.js';
import type { Target } from '#libs/routing/index.js';
import type { Exchange } from './exchange.js';

/** Stage 3: whether the key can be used, and on this route. @throws AppError `key_unusable`, `route_not_allowed` */
export function authorize(exchange: Exchange, key: KeyRecord): void {
  if (key.problem !== null) throw new AppError('key_unusable', { text: key.problem });
  if (!key.mayUseRoute(exchange.path)) throw new AppError('route_not_allowed');
}

/** Whether the key may use the target: by the name it asked for, or by another name of the very same target. */
export function mayUse(key: KeyRecord, target: Target): boolean {
  return key.mayUseModel(target.requested) || target.alsoKnownAs.some((name) => key.mayUseModel(name));
}
