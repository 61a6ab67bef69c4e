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
  return upperBound(plane.prices, {
    provider,
    model,
    facts,
    atMs: exchange.startedAtMs,
    overrides: exchange.snapshot.priceOverrides.of(key.orgId),
    defaultTier: provider.defaultTier,
  });
}

/**
 * What the request says about its size and its largest bill to a target, read once a call for each name of a chat's maximum:
 * a number under a name that the target passes over bounds nothing. @throws AppError `invalid_json`
 */
export function factsOf(exchange: Exchange, reading: Reading, { provider }: Target): RequestFacts {
  const { chatMaximum } = provider;
  const known = exchange.facts[chatMaximum];
  if (known !== null) return known;
  const facts = requestFacts(exchange.operation ?? 'chat', exchange.body, reading, chatMaximum);
  exchange.facts = { ...exchange.facts, [chatMaximum]: facts };
  return facts;
}
