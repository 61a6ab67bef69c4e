import type { ChainSettings } from '#libs/platform/config.js';
import type { DocumentBody, RegistryDocument } from '#libs/registry/index.js';

/** What the registry keeps of a chain. Its name is its identity: models, keys, teams and other chains refer to it. */
export type ChainBody = ChainSettings & DocumentBody;

/** The document's body; only this library writes documents of kind `chain`. */
export function chainBody(document: RegistryDocument): ChainBody {
  return document.body as ChainBody;
}

/** A chain as the audit log shows it. */
export function auditChain(document: RegistryDocument): unknown {
  return { name: document.name, ...document.body };
}

/** Under which no second one may exist: names that differ only in case would be taken for one another. */
export function uniqueChainName(name: string): string {
  return name.toLowerCase();
}

/** Id of a chain declared in the file: its name, so that it stays the same over restarts and in all instances. */
export function fileChainId(name: string): string {
  return `chain_file_${name}`;
}
