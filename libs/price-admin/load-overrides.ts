import type { PriceOverride } from '#libs/platform/config.js';
import { RegistryState, type RegistryStore } from '#libs/registry/index.js';
import { OverrideCompiler, type PriceOverrides } from './override-compiler.js';

/** The overrides as stored now, overlaid by those of the file: for commands that run without a replica's snapshot. */
export async function loadOverrides(store: RegistryStore, file: readonly PriceOverride[]): Promise<PriceOverrides> {
  const delta = await store.changesSince(0);
  return new OverrideCompiler().compile(RegistryState.empty.apply({ ...delta, full: true }), file);
}
