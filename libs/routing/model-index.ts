import type { ListedModel } from '#libs/dialects/index.js';
import type { ModelConfig, ProviderType } from '#libs/platform/config.js';
import type { Provider } from '#libs/providers/index.js';

/** Where a model name leads. */
export interface Target {
  readonly provider: Provider;
  /** Model name at the provider. */
  readonly model: string;
  /** The name without `[1m]`, as a key's allow-list sees it. */
  readonly requested: string;
  /** True when the caller wrote the `[1m]` suffix. */
  readonly longContext: boolean;
  /** Further names under which a key may have been allowed this target. */
  readonly alsoKnownAs: readonly string[];
}

/** Models a provider type is known to offer; from the price table. */
export type ModelCatalogue = (
  type: ProviderType,
) => readonly { readonly id: string; readonly contextTokens: number | null }[];

const LONG_CONTEXT_SUFFIX = '[1m]';

/** A model or chain name as a caller writes it, without its `[1m]`, and whether it had one. */
export function splitLongContext(written: string): { readonly name: string; readonly longContext: boolean } {
  const longContext = written.endsWith(LONG_CONTEXT_SUFFIX);
  return { name: longContext ? written.slice(0, -LONG_CONTEXT_SUFFIX.length) : written, longContext };
}

export function withLongContext(name: string): string {
  return name + LONG_CONTEXT_SUFFIX;
}

const MEMO_LIMIT = 10_000;
const MAX_NAME_LENGTH = 256;

/** No control characters and no half characters: such a name could stand in no header, path or log. */
function isName(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  return text.length <= MAX_NAME_LENGTH && text.isWellFormed() && !/[\u0000-\u001f\u007f]/.test(text);
}

/** Which provider type a bare model name belongs to (LLM-5). */
function typeByName(model: string): ProviderType | null {
  if (model.startsWith('claude-')) return 'anthropic';
  if (model.startsWith('gemini-')) return 'google';
  if (model.startsWith('gpt-') || /^o\d/.test(model) || /^(text-embedding-|chatgpt-|codex-)/.test(model))
    return 'openai';
  return null;
}

/** Model name → target, compiled once per configuration. Answers are remembered within a bound, since names come from callers. */
export class ModelIndex {
  readonly #aliases: ReadonlyMap<string, ModelConfig>;
  readonly #providers: ReadonlyMap<string, Provider>;
  readonly #listed: readonly ListedModel[];
  readonly #memo = new Map<string, Target | null>();

  constructor(models: readonly ModelConfig[], providers: readonly Provider[], catalogue: ModelCatalogue) {
    this.#aliases = new Map(models.map((model) => [model.name, model]));
    this.#providers = new Map(providers.map((provider) => [provider.name, provider]));
    this.#listed = this.#list(catalogue);
  }

  /** The target of a model name as a caller wrote it, `null` when there is none. */
  resolve(name: string): Target | null {
    const known = this.#memo.get(name);
    if (known !== undefined) return known;
    const target = isName(name) ? this.#resolve(name) : null;
    if (this.#memo.size < MEMO_LIMIT && isName(name)) this.#memo.set(name, target);
    return target;
  }

  /** All models that can be named, for the listings. */
  list(): readonly ListedModel[] {
    return this.#listed;
  }

  #resolve(name: string): Target | null {
    const { name: requested, longContext } = splitLongContext(name);
    const found = this.#lookUp(requested);
    if (found === null) return null;
    const { provider, model } = found;
    const explicit = `${provider.name}/${model}`;
    // The bare name is the same model only if it leads to the same place by itself.
    const bare = this.#lookUp(model);
    const bareIsSame = bare !== null && bare.provider === provider && bare.model === model;
    return {
      provider,
      model,
      requested,
      longContext,
      alsoKnownAs: this.#aliases.has(requested) ? [] : bareIsSame ? [explicit, model] : [explicit],
    };
  }

  /** Configured names win, then `provider/model`, then the name's own prefix. */
  #lookUp(name: string): { provider: Provider; model: string } | null {
    const alias = this.#aliases.get(name);
    if (alias !== undefined) {
      const provider = this.#providers.get(alias.provider);
      return provider === undefined ? null : { provider, model: alias.model };
    }
    const slash = name.indexOf('/');
    if (slash > 0) {
      const provider = this.#providers.get(name.slice(0, slash));
      if (provider !== undefined && slash < name.length - 1) return { provider, model: name.slice(slash + 1) };
    }
    const type = typeByName(name);
    const provider = type === null ? undefined : this.#providerOfType(type);
    return provider === undefined ? null : { provider, model: name };
  }

  /** The provider named like its type, else the first one of that type. */
  #providerOfType(type: ProviderType): Provider | undefined {
    const byName = this.#providers.get(type);
    if (byName?.type === type) return byName;
    for (const provider of this.#providers.values()) if (provider.type === type) return provider;
    return undefined;
  }

  #list(catalogue: ModelCatalogue): ListedModel[] {
    const listed = new Map<string, ListedModel>();
    for (const alias of this.#aliases.values()) {
      const provider = this.#providers.get(alias.provider);
      if (provider === undefined) continue;
      const known = catalogue(provider.type).find((model) => model.id === alias.model);
      listed.set(alias.name, {
        id: alias.name,
        provider: provider.name,
        contextTokens: alias.contextTokens ?? known?.contextTokens ?? null,
      });
    }
    for (const provider of this.#providers.values()) {
      const catalogued = catalogue(provider.type).filter(
        ({ id }) => provider.type === 'demo' || typeByName(id) === provider.type,
      );
      const models =
        provider.models.length > 0
          ? provider.models.map((id) => ({
              id,
              contextTokens: catalogued.find((model) => model.id === id)?.contextTokens ?? null,
            }))
          : catalogued;
      for (const model of models) {
        const byItself = this.#lookUp(model.id);
        const id =
          byItself?.provider === provider && byItself.model === model.id ? model.id : `${provider.name}/${model.id}`;
        if (!listed.has(id)) listed.set(id, { id, provider: provider.name, contextTokens: model.contextTokens });
      }
    }
    return [...listed.values()];
  }
}

/** Models whose 1M context must be asked for by a beta; newer ones have it without. */
const NEEDS_LONG_CONTEXT_BETA = /(^|\.anthropic\.|^anthropic\.)claude-(sonnet-4(-5)?|opus-4-6)([-@]|$)/;
const LONG_CONTEXT_BETA = 'context-1m-2025-08-07';

/** The `anthropic-beta` value for a call: the caller's, plus the long-context beta where the caller wrote `[1m]` and the model needs it. */
export function betaHeader(target: Target, callers: string | undefined): string | undefined {
  if (!target.longContext || !NEEDS_LONG_CONTEXT_BETA.test(target.model)) return callers;
  if (callers === undefined || callers === '') return LONG_CONTEXT_BETA;
  return callers.includes(LONG_CONTEXT_BETA) ? callers : `${callers},${LONG_CONTEXT_BETA}`;
}
