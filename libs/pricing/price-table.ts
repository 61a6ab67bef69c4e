import type { ProviderConfig, ProviderType } from '#libs/platform/config.js';
import { BoundedMap } from './bounded-map.js';
import { compileMatch, exactNames, type Matcher, withDashedDates } from './match.js';
import { compileModelPrices, type ModelPrices } from './model-prices.js';
import bundled from './price-table.gen.json' with { type: 'json' };
import type { PriceTableData, ProviderPriceData } from './table-data.js';

/** What pricing needs to know of a provider; a `ProviderConfig` fits. */
export type PricedProvider = Pick<ProviderConfig, 'name' | 'type' | 'baseUrl'>;

/** Longer names are no model's: they are neither matched nor remembered. */
const MAX_MODEL_NAME_CHARS = 256;
const MAX_REMEMBERED_MODELS = 2048;
const MAX_REMEMBERED_URLS = 256;

/** Which price list a type of provider is billed by; `null`: told from the base address. */
const LIST_OF_TYPE: Readonly<Record<ProviderType, string | null>> = {
  openai: 'openai',
  anthropic: 'anthropic',
  google: 'google',
  vertex: 'google',
  'azure-openai': 'azure',
  bedrock: 'aws',
  demo: 'demo',
  'openai-compatible': null,
};

/** The prices of one provider: exact names first, then the rules of the data in their order. */
class PriceList {
  readonly fallback: readonly string[];
  readonly #exact = new Map<string, ModelPrices>();
  readonly #rules: readonly { readonly matches: Matcher; readonly prices: ModelPrices }[];
  readonly #remembered = new BoundedMap<string, ModelPrices | null>(MAX_REMEMBERED_MODELS);

  constructor(id: string, data: ProviderPriceData) {
    this.fallback = data.fallback ?? [];
    this.#rules = data.models.map((model) => {
      const prices = compileModelPrices(id, model);
      for (const name of exactNames(model.match)) if (!this.#exact.has(name)) this.#exact.set(name, prices);
      return { matches: compileMatch(model.match), prices };
    });
  }

  /** `undefined`: this name was not looked up lately. */
  remembered(model: string): ModelPrices | null | undefined {
    return this.#remembered.get(model);
  }
  remember(model: string, prices: ModelPrices | null): void {
    this.#remembered.set(model, prices);
  }
  /** @param name in lower case */
  find(name: string): ModelPrices | null {
    return this.#exact.get(name) ?? this.#rules.find((rule) => rule.matches(name))?.prices ?? null;
  }
}

/** A price table ready for look-ups. Immutable but for its bounded memory of names already looked up. */
export class PriceTable {
  readonly version: string;
  readonly #data: PriceTableData;
  readonly #lists = new Map<string, PriceList>();
  readonly #listOfUrl = new BoundedMap<string, PriceList | null>(MAX_REMEMBERED_URLS);

  constructor(data: PriceTableData) {
    this.version = data.version;
    this.#data = data;
  }

  /** All prices of a model at a provider, `null` when the table knows none. */
  find(provider: PricedProvider, model: string): ModelPrices | null {
    const listId = LIST_OF_TYPE[provider.type];
    const list = listId === null ? this.#listAt(provider.baseUrl) : this.#list(listId);
    if (list === null) return null;
    const remembered = list.remembered(model);
    if (remembered !== undefined) return remembered;
    if (model.length > MAX_MODEL_NAME_CHARS) return null;
    const name = model.toLowerCase().trim();
    const found = this.#search(list, name) ?? this.#search(list, withDashedDates(name));
    // A copy, because a name cut out of a request body would keep that whole body in memory.
    list.remember(Buffer.from(model).toString(), found);
    return found;
  }

  /** The models a type of provider is known to offer, with the size of their context in tokens where it is known. */
  catalogue(type: ProviderType): readonly { readonly id: string; readonly contextTokens: number | null }[] {
    const listId = LIST_OF_TYPE[type];
    const data = listId === null ? undefined : this.#data.providers[listId];
    return (data?.models ?? []).map((model) => ({ id: model.id, contextTokens: model.contextTokens ?? null }));
  }

  #search(list: PriceList, name: string): ModelPrices | null {
    const found = list.find(name);
    if (found !== null) return found;
    for (const id of list.fallback) {
      const prices = this.#list(id)?.find(name) ?? null;
      if (prices !== null) return prices;
    }
    return null;
  }

  /** Lists are compiled when first asked for: most installations use two or three of them. */
  #list(id: string): PriceList | null {
    const known = this.#lists.get(id);
    if (known !== undefined) return known;
    const data = Object.hasOwn(this.#data.providers, id) ? this.#data.providers[id] : undefined;
    if (data === undefined) return null;
    const list = new PriceList(id, data);
    this.#lists.set(id, list);
    return list;
  }

  #listAt(baseUrl: string | null): PriceList | null {
    if (baseUrl === null) return null;
    const remembered = this.#listOfUrl.get(baseUrl);
    if (remembered !== undefined) return remembered;
    const id = Object.entries(this.#data.providers).find(([, data]) =>
      new RegExp(`^(?:${data.api})`).test(baseUrl),
    )?.[0];
    const list = id === undefined ? null : this.#list(id);
    this.#listOfUrl.set(baseUrl, list);
    return list;
  }
}

/** The table that ships with the product. Make one per process and pass it on: it remembers what it looked up. */
export function bundledPriceTable(): PriceTable {
  return new PriceTable(bundled as unknown as PriceTableData);
}
