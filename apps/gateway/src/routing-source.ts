import type { RoutingSource } from '#libs/routing/index.js';
import type { LiveSettings } from './live-settings.js';
import type { DataPlaneRunner } from './proxy/data-plane-runner.js';
import { nominalCost } from './proxy/nominal-cost.js';

/** What routing's admin side reads: the file's chains and models, and the models as the data plane resolves them. */
export function routingSource(settings: LiveSettings, runner: DataPlaneRunner): RoutingSource {
  return {
    fileChains: () => settings.live.chains,
    fileModels: () => settings.live.models,
    models: () => runner.plane.snapshot.models,
    costOf: nominalCost(runner),
  };
}
