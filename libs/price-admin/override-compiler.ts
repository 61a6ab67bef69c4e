import type { PriceOverride } from '#libs/platform/config.js';
import { RegistryState } from '#libs/registry/index.js';
import { priceBody, toOverride } from './price-document.js';

/** The overrides in force at one moment, by organisation. */
export interface PriceOverrides {
  /** The same list for as long as nothing changed: pricing remembers what it compiled by list. */
  of(orgId: string): readonly PriceOverride[];
}

/** What the file prices is the file's alone: documents for the same model, of before, count no more. */
function isFileOwned(file: readonly PriceOverride[], provider: string, model: string): boolean {
  return file.some((override) => override.provider === provider && override.model === model);
}

/** Overlays the registry's overrides with those of the file, and keeps the result while neither changes. */
export class OverrideCompiler {
  #registry: RegistryState = RegistryState.empty;
  #file: readonly PriceOverride[] = [];
  #compiled: PriceOverrides = { of: () => this.#file };

  compile(registry: RegistryState, file: readonly PriceOverride[]): PriceOverrides {
    if (file === this.#file && registry.sameKind(this.#registry, 'price')) return this.#compiled;
    this.#registry = registry;
    this.#file = file;
    const byOrg = new Map<string, PriceOverride[]>();
    for (const document of registry.all('price')) {
      const { provider, model } = priceBody(document);
      if (isFileOwned(file, provider, model)) continue;
      const list = byOrg.get(document.orgId) ?? [...file];
      list.push(toOverride(document));
      byOrg.set(document.orgId, list);
    }
    this.#compiled = { of: (orgId) => byOrg.get(orgId) ?? file };
    return this.#compiled;
  }
}
