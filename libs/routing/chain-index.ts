import type { ChainConfig, ChainSettings, ModelConfig } from '#libs/platform/config.js';
import { DEFAULT_ORG_ID, type RegistryState } from '#libs/registry/index.js';
import { chainBody } from './chain-document.js';
import { compileAttached, compileChain, compileDirect, type PlanParts } from './compile-chain.js';
import { splitLongContext } from './model-index.js';
import type { RoutePlan } from './route-plan.js';

/** What a request asks for, as far as its plan depends on it. */
export interface PlanRequest {
  readonly orgId: string;
  /** As the caller wrote it, `[1m]` included. */
  readonly model: string;
  /** Names of the chains that the key and its team have, `null` without one. */
  readonly keyChain: string | null;
  readonly teamChain: string | null;
}

/** What an index of chains is compiled from. */
export interface ChainSources {
  readonly registry: RegistryState;
  readonly fileChains: readonly ChainConfig[];
  /** Configured models: some have a chain behind them. */
  readonly fileModels: readonly ModelConfig[];
}

/** Names come from callers: beyond this many the memory is started anew. */
const MEMO_LIMIT = 4_096;

/**
 * All chains at one version of the registry and the file, for look-ups without I/O; immutable. Plans are compiled when they
 * are first asked for and remembered. What the file declares goes before a document of the same name, and configured models
 * before chains.
 */
export class ChainIndex {
  readonly #sources: ChainSources;
  readonly #parts: PlanParts;
  readonly #chains = new Map<string, ChainSettings>();
  readonly #chainOfModel = new Map<string, string>();
  readonly #plans = new Map<string, RoutePlan | null>();

  constructor(sources: ChainSources, parts: PlanParts) {
    this.#sources = sources;
    this.#parts = parts;
    for (const document of sources.registry.all('chain')) {
      this.#chains.set(`${document.orgId}/${document.name}`, chainBody(document));
    }
    for (const { name, ...chain } of sources.fileChains) this.#chains.set(`${DEFAULT_ORG_ID}/${name}`, chain);
    for (const { name, chain } of sources.fileModels) if (chain !== undefined) this.#chainOfModel.set(name, chain);
  }

  /** The index of a later moment: this one, when nothing in it has changed, so that turns and plans live on. */
  at(sources: ChainSources, parts: PlanParts): ChainIndex {
    const before = this.#sources;
    const isSame =
      sources.fileChains === before.fileChains &&
      sources.fileModels === before.fileModels &&
      parts.models === this.#parts.models &&
      sources.registry.sameKind(before.registry, 'chain');
    return isSame ? this : new ChainIndex(sources, parts);
  }

  /**
   * The plan of a request: that of the chain it names; else its model first and behind it the chain of the key, the team or
   * the model, whichever there is first; else the model alone. `null` when the name leads nowhere. A chain whose targets are all gone has a plan that refuses (503).
   */
  chainFor(request: PlanRequest): RoutePlan | null {
    const { orgId, model, keyChain, teamChain } = request;
    const memo = `${orgId}\n${model}\n${keyChain ?? ''}\n${teamChain ?? ''}`;
    const known = this.#plans.get(memo);
    if (known !== undefined) return known;
    if (model.length > 300) return null;
    const plan = this.#planOf(request);
    if (this.#plans.size >= MEMO_LIMIT) this.#plans.clear();
    this.#plans.set(memo, plan);
    return plan;
  }

  /** A chain as it stands, whoever declared it. */
  named(orgId: string, name: string): ChainSettings | null {
    return this.#chains.get(`${orgId}/${name}`) ?? null;
  }

  /** The plan of a model or chain by itself; `null` when the name leads nowhere. */
  planOf(orgId: string, name: string): RoutePlan | null {
    return this.chainFor({ orgId, model: name, keyChain: null, teamChain: null });
  }

  /** Names of the chains of an organisation. */
  *names(orgId: string): Iterable<string> {
    for (const path of this.#chains.keys()) {
      if (path.startsWith(`${orgId}/`)) yield path.slice(orgId.length + 1);
    }
  }

  #planOf({ orgId, model, keyChain, teamChain }: PlanRequest): RoutePlan | null {
    const byName = (name: string): ChainSettings | null => this.named(orgId, name);
    const parts = { ...this.#parts, orgId };
    const target = parts.models.resolve(model);
    if (target === null) {
      const { name, longContext } = splitLongContext(model);
      const chain = byName(name);
      return chain === null ? null : compileChain(name, chain, parts, byName, longContext);
    }
    const behind = keyChain ?? teamChain ?? this.#chainOfModel.get(target.requested) ?? null;
    const chain = behind === null ? null : byName(behind);
    return behind === null || chain === null
      ? compileDirect(target, parts)
      : compileAttached(target, behind, chain, parts, byName);
  }
}
