import type { Clock } from '#libs/platform/clock.js';
import type { PriceOverride } from '#libs/platform/config.js';
import { AppError } from '#libs/platform/errors.js';
import { newId } from '#libs/platform/ids.js';
import { listedPrices, type ListedPrice, type PricedProvider, type PriceTable } from '#libs/pricing/index.js';
import type {
  AuditedChange,
  AuditOrigin,
  DocumentRef,
  RegistryDocument,
  RegistryFeed,
  RegistryWriter,
} from '#libs/registry/index.js';
import { auditPrice, type PriceBody, priceBody, type PriceSet } from './price-document.js';

/** A new override. */
export interface PriceWish {
  readonly provider: string;
  readonly model: string;
  readonly prices: PriceSet;
  /** `null`: from now on. */
  readonly fromMs: number | null;
  readonly note: string | null;
}

/** An override as the API shows it. */
export interface OverrideView {
  readonly id: string;
  readonly provider: string;
  readonly model: string;
  readonly prices: PriceSet;
  readonly fromMs: number;
  readonly note: string | null;
  readonly source: 'api' | 'file';
  readonly inForce: boolean;
  /** For `If-Match`; 0 for those of the file. */
  readonly version: number;
  readonly createdAtMs: number | null;
}

/** All prices of one model: what admins set, latest first, and what the price table lists. */
export interface ModelPriceView {
  readonly provider: string;
  readonly model: string;
  readonly overrides: readonly OverrideView[];
  readonly listed: readonly ListedPrice[];
}

/** Where prices come from beside the registry; asked anew each time, as the file may change. */
export interface PriceSources {
  filePrices(): readonly PriceOverride[];
  providers(): readonly PricedProvider[];
  readonly table: PriceTable;
}

/** Every replica holds all overrides in memory; beyond this many, creation is refused. */
const MAX_OVERRIDES = 10_000;

/** Id of an override declared in the file: its target, so that it stays the same over restarts and in all instances. */
export function filePriceId(override: Pick<PriceOverride, 'provider' | 'model'>): string {
  return `price_file_${Buffer.from(`${override.provider}/${override.model}`).toString('base64url')}`;
}

/** The use cases of `/api/prices`. Reads come from this replica's snapshot, changes go to the registry. */
export class PriceAdmin {
  constructor(
    private readonly writer: RegistryWriter,
    private readonly feed: RegistryFeed,
    private readonly sources: PriceSources,
    private readonly clock: Clock,
  ) {}

  /** @throws AppError `file_owned`, `conflict` (the same day twice) or `invalid_request` (no such provider) */
  async create(orgId: string, wish: PriceWish, origin: AuditOrigin): Promise<OverrideView> {
    const { provider, model, prices, note } = wish;
    if (!this.sources.providers().some(({ name }) => name === provider)) {
      throw new AppError('invalid_request', {
        text: `"model" names the provider "${provider}", which is not configured.`,
        param: 'model',
      });
    }
    if (this.sources.filePrices().some((file) => file.provider === provider && file.model === model)) {
      throw new AppError('file_owned');
    }
    if (this.feed.current().count('price') >= MAX_OVERRIDES) {
      throw new AppError('conflict', { text: `There are ${MAX_OVERRIDES} price overrides already.` });
    }
    const fromMs = wish.fromMs ?? this.clock.now();
    const body: PriceBody = { provider, model, prices, fromMs, note };
    const ref: DocumentRef = { orgId, kind: 'price', id: newId('price') };
    const content = { name: `${provider}/${model}`, body, uniqueName: `${provider}/${model}@${fromMs}` };
    const document = await this.writer.create(ref, content, audited('price.create', origin));
    return this.get(orgId, document.id, document);
  }

  /** By provider and model; with `target` that model alone, even when nobody has set a price for it. */
  list(orgId: string, target: { readonly provider: string; readonly model: string } | null): ModelPriceView[] {
    const models = new Map<string, OverrideView[]>();
    if (target !== null) models.set(`${target.provider}/${target.model}`, []);
    for (const view of this.#views(orgId)) {
      const name = `${view.provider}/${view.model}`;
      if (target !== null && !models.has(name)) continue;
      const views = models.get(name);
      if (views === undefined) models.set(name, [view]);
      else views.push(view);
    }
    return [...models].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, views]) => this.#modelView(name, views));
  }

  /** @throws AppError `not_found` */
  get(orgId: string, id: string, fresh?: RegistryDocument): OverrideView {
    const document = fresh ?? this.feed.current().get(orgId, 'price', id);
    const views = [...this.#views(orgId, document ?? undefined)];
    const found = views.find((view) => view.id === id);
    if (found === undefined) throw new AppError('not_found', { text: 'There is no such price.' });
    return inOrder(
      views.filter(({ provider, model }) => provider === found.provider && model === found.model),
      this.clock.now(),
    ).find((view) => view.id === id) as OverrideView;
  }

  /** Takes an override away; calls that were billed with it keep their cost. @throws AppError `file_owned`, `not_found`, `conflict` */
  async remove(
    ref: { readonly orgId: string; readonly id: string },
    expectedVersion: number | null,
    origin: AuditOrigin,
  ): Promise<void> {
    if (this.sources.filePrices().some((file) => filePriceId(file) === ref.id)) throw new AppError('file_owned');
    await this.writer.remove({ ...ref, kind: 'price' }, expectedVersion, audited('price.delete', origin));
  }

  /** All overrides of an organisation that count, without `inForce`. `fresh` may not be in this replica's snapshot yet. */
  *#views(orgId: string, fresh?: RegistryDocument): Iterable<OverrideView> {
    const file = this.sources.filePrices();
    for (const override of file) yield fileView(override);
    if (fresh !== undefined) yield documentView(fresh);
    for (const document of this.feed.current().all('price')) {
      if (document.orgId !== orgId || document.id === fresh?.id) continue;
      const { provider, model } = priceBody(document);
      if (!file.some((own) => own.provider === provider && own.model === model)) yield documentView(document);
    }
  }

  #modelView(name: string, views: readonly OverrideView[]): ModelPriceView {
    const slash = name.indexOf('/');
    const [providerName, model] = [name.slice(0, slash), name.slice(slash + 1)];
    const provider = this.sources.providers().find((one) => one.name === providerName);
    return {
      provider: providerName,
      model,
      overrides: inOrder(views, this.clock.now()),
      listed: provider === undefined ? [] : listedPrices(this.sources.table, provider, model),
    };
  }
}

/** Latest start first; of those that have begun, the first is in force. */
function inOrder(views: readonly OverrideView[], nowMs: number): readonly OverrideView[] {
  const sorted = [...views].sort((a, b) => b.fromMs - a.fromMs);
  const current = sorted.find(({ fromMs }) => fromMs <= nowMs);
  return sorted.map((view) => ({ ...view, inForce: view === current }));
}

function documentView(document: RegistryDocument): OverrideView {
  const { provider, model, prices, fromMs, note } = priceBody(document);
  return {
    id: document.id,
    provider,
    model,
    prices,
    fromMs,
    note,
    source: 'api',
    inForce: false,
    version: document.version,
    createdAtMs: document.createdAtMs,
  };
}

function fileView(override: PriceOverride): OverrideView {
  const { provider, model, fromMs, ...set } = override;
  const prices: PriceSet = {
    inputUsd: set.inputUsd,
    outputUsd: set.outputUsd,
    cachedInputUsd: set.cachedInputUsd,
    cacheWrite5mUsd: set.cacheWrite5mUsd,
    cacheWrite1hUsd: set.cacheWrite1hUsd,
    inputAudioUsd: set.inputAudioUsd ?? null,
    outputAudioUsd: set.outputAudioUsd ?? null,
    inputImageUsd: set.inputImageUsd ?? null,
    outputImageUsd: set.outputImageUsd ?? null,
    webSearchUsd: set.webSearchUsd ?? null,
  };
  return {
    id: filePriceId(override),
    provider,
    model,
    prices,
    fromMs,
    note: null,
    source: 'file',
    inForce: false,
    version: 0,
    createdAtMs: null,
  };
}

function audited(action: string, origin: AuditOrigin): AuditedChange {
  return { action, origin, view: auditPrice };
}
