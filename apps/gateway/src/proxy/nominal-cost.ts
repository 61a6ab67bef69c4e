import type { TokenUsage } from '#libs/dialects/index.js';
import { priceCall } from '#libs/pricing/index.js';
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

/** What a nominal call costs an organisation at the prices of this moment. */
export function nominalCost(runner: Pick<DataPlaneRunner, 'plane'>): NominalCost {
  return (orgId, provider, model) => {
    const { plane } = runner;
    const overrides = plane.snapshot.priceOverrides.of(orgId);
    const price = priceCall(plane.prices, { provider, model, usage: NOMINAL, atMs: Date.now(), overrides });
    return price.priceVersion === null ? null : price.costNanos;
  };
}
