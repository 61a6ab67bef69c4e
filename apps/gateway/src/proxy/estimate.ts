import { requestFacts, type RequestFacts } from '#libs/dialects/index.js';
import type { KeyRecord } from '#libs/keys-budgets/index.js';
import { upperBound, type UpperBound } from '#libs/pricing/index.js';
import type { Target } from '#libs/routing/index.js';
import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';
import type { Reading } from './read.js';
import { translatedBody } from './translate-body.js';
import { wayTo } from './way.js';

/**
 * Part of stage 7: the most this call can cost at a target, at the prices that will be in force when it is settled. What has
 * no bound says why (`refuse`); a hard budget must refuse it. `injectedMaxTokens`, or what a clamp leaves, is sent along.
 * Notes the bound in the exchange, where a clamp lowers it; the bill is compared with it when the call is over.
 * @throws AppError `invalid_json`, or `invalid_request` where the call cannot be translated for the target
 */
export function estimate(
  exchange: Exchange,
  reading: Reading,
  key: KeyRecord,
  target: Target,
  plane: Pick<DataPlane, 'prices'>,
): UpperBound {
  const { provider, model } = target;
  const way = wayTo(exchange, target);
  const translated = way === null ? null : translatedBody(exchange, target, way);
  const facts =
    way === null || translated === null
      ? factsOf(exchange, reading, target)
      : requestFacts(way.operation, translated.translation.body, translated.reading, provider.chatMaximum);
  const bound = upperBound(plane.prices, {
    provider,
    model,
    facts,
    atMs: exchange.startedAtMs,
    overrides: exchange.snapshot.priceOverrides.of(key.orgId),
    defaultTier: provider.defaultTier,
  });
  exchange.boundNanos = bound.refuse === null ? bound.wantNanos : null;
  return bound;
}

/** What the request says about its size and its largest bill, read once a call. @throws AppError `invalid_json` */
export function factsOf(exchange: Exchange, reading: Reading, { provider }: Target): RequestFacts {
  exchange.facts ??= requestFacts(exchange.operation ?? 'chat', exchange.body, reading, provider.chatMaximum);
  return exchange.facts;
}
