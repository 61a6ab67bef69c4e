import type { TokenUsage } from '#libs/dialects/index.js';
import { priceCall } from '#libs/pricing/index.js';
import { DEFAULT_ORG_ID } from '#libs/registry/index.js';
import type { NominalCost } from '#libs/routing/index.js';
import type { DataPlaneRunner } from './data-plane-runner.js';

/** A call of the usual proportions, for comparing prices of targets: three tokens in for one out. */
const NOMINAL: TokenUsage = {
  inputTokens: 3_000,
  cachedInputTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
  outputTokens: 1_000,
  reasoningTokens: 0,
  webSearchRequests: 0,
  details: null,
  raw: '{}',
};

/** What a nominal call costs at today's prices; plans keep it until the next change of configuration. */
export function nominalCost({ plane }: Pick<DataPlaneRunner, 'plane'>): NominalCost {
  return (provider, model) => {
    const overrides = plane.snapshot.priceOverrides.of(DEFAULT_ORG_ID);
    const price = priceCall(plane.prices, { provider, model, usage: NOMINAL, atMs: Date.now(), overrides });
    return price.priceVersion === null ? null : price.costNanos;
  };
}
