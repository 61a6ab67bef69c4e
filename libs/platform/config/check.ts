import { checkFileChains } from './check-chains.js';
import { checkKeys } from './check-keys.js';
import { checkOwners } from './check-owners.js';
import { checkProviders } from './check-providers.js';
import type { Findings } from './findings.js';
import { parseListen } from './listen.js';
import { noteWithoutEffect } from './notices.js';
import { parseStoreUrl, type StoreName, STORES } from './store-url.js';
import { didYouMean } from './suggest.js';
import { entriesOf, field, textOf } from './untyped.js';

/**
 * The checks that look at more than one place or know more than a shape. They run on a file whose shape may be wrong
 * elsewhere, so that one run reports everything.
 */
export function checkMeaning(file: unknown, nowMs: number, findings: Findings): void {
  const listen = textOf(file, 'listen');
  if (listen !== undefined && parseListen(listen) === null) {
    findings.fault(['listen'], 'must be :port or address:port with a port from 0 to 65535');
  }
  for (const store of Object.keys(STORES) as StoreName[]) {
    const url = textOf(field(file, 'stores'), store);
    const problem = url === undefined ? null : parseStoreUrl(store, url).problem;
    if (problem !== null) findings.fault(['stores', store], problem);
  }
  checkProviders(file, findings);
  checkModels(file, findings);
  checkFileChains(file, providerNames(file), findings);
  checkKeys(file, nowMs, findings);
  checkOwners(file, findings);
  checkServers(file, findings);
  noteWithoutEffect(file, findings);
}

/** Names of the providers there will be: those of the file, else the `demo` that a file without any gets. */
export function providerNames(file: unknown): readonly string[] {
  return field(file, 'providers') === undefined ? ['demo'] : entriesOf(file, 'providers').map(([name]) => name);
}

function checkModels(file: unknown, findings: Findings): void {
  const providers = providerNames(file);
  for (const [name, model] of entriesOf(file, 'models')) {
    const target = textOf(model, 'target');
    if (target === undefined || !target.includes('/')) continue;
    const provider = target.slice(0, target.indexOf('/'));
    if (!providers.includes(provider)) {
      findings.fault(
        ['models', name, 'target'],
        `names the provider "${provider}", which is not declared${didYouMean(provider, providers)}`,
      );
    }
  }
  for (const [target] of entriesOf(file, 'prices')) {
    const provider = target.slice(0, target.indexOf('/'));
    if (!providers.includes(provider)) {
      findings.warning(['prices', target], `a price names the provider "${provider}", which is not declared`);
    }
  }
}

function checkServers(file: unknown, findings: Findings): void {
  for (const [name, server] of entriesOf(file, 'servers')) {
    const ways = ['url', 'command'].filter((way) => field(server, way) !== undefined);
    if (ways.length !== 1) findings.fault(['servers', name], 'needs either url or command');
  }
}
