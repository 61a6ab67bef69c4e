import type { PriceOverride } from '#libs/platform/config.js';
import type { DocumentBody, RegistryDocument } from '#libs/registry/index.js';

/** What the registry keeps of an override: its prices and since when they hold. */
export interface PriceBody extends DocumentBody {
  readonly provider: string;
  readonly model: string;
  readonly prices: PriceSet;
  readonly fromMs: number;
  /** Why, in an admin's words. */
  readonly note: string | null;
}

/** The prices of an override, USD per million tokens; `webSearchUsd` per thousand searches. `null`: not set. */
export type PriceSet = Required<Omit<PriceOverride, 'provider' | 'model' | 'fromMs'>>;

/** The document's body; only this library writes documents of kind `price`. */
export function priceBody(document: RegistryDocument): PriceBody {
  return document.body as PriceBody;
}

/** An override as the audit log shows it. */
export function auditPrice(document: RegistryDocument): unknown {
  const { provider, model, prices, fromMs, note } = priceBody(document);
  return { model: `${provider}/${model}`, ...prices, from: new Date(fromMs).toISOString(), note };
}

/** The form in which pricing takes a document. */
export function toOverride(document: RegistryDocument): PriceOverride {
  const { provider, model, prices, fromMs } = priceBody(document);
  return { provider, model, fromMs, ...prices };
}
