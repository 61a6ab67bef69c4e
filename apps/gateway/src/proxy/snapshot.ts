import type { KeyIndex, LimitScope, OwnerIndex } from '#libs/keys-budgets/index.js';
import type { PriceOverrides } from '#libs/price-admin/index.js';
import type { ChainIndex, ModelIndex } from '#libs/routing/index.js';

/**
 * All the data plane decides from, compiled from the configuration and the registry and never changed: a new version
 * replaces the old one in a single assignment, and a call keeps the one it began with.
 */
export interface Snapshot {
  /** Registry version it was compiled from. */
  readonly version: number;
  readonly keys: KeyIndex;
  /** Organisations, teams, users, apps and tags. */
  readonly owners: OwnerIndex;
  readonly models: ModelIndex;
  /** From the name a request asks for to the targets that may serve it. */
  readonly chains: ChainIndex;
  /** Rate limits of models by target (`provider/model`); targets without any are absent. */
  readonly modelLimits: ReadonlyMap<string, readonly LimitScope[]>;
  readonly priceOverrides: PriceOverrides;
  /** Calls to models without a known price are refused. */
  readonly refusesUnpriced: boolean;
}
