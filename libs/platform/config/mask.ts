import type { ConfigFile } from './schema.js';

const MASK = '[secret]';

/** The file with every secret replaced, so that the settings page may show it. Empty secrets stay visible as empty. */
export function maskSecrets(file: ConfigFile): ConfigFile {
  const copy = structuredClone(file);
  for (const provider of Object.values(copy.providers ?? {})) {
    if (provider.api_key) provider.api_key = MASK;
    maskValues(provider.headers);
    if (provider.entra?.client_secret) provider.entra.client_secret = MASK;
    if (provider.aws?.secret_access_key) provider.aws.secret_access_key = MASK;
    if (provider.aws?.session_token) provider.aws.session_token = MASK;
    if (provider.service_account) provider.service_account = MASK;
  }
  for (const key of [...(copy.keys ?? []), ...(copy.api_keys ?? [])]) if (key.key) key.key = MASK;
  for (const server of Object.values(copy.servers ?? {})) maskValues(server.credentials?.headers);
  if (copy.stores !== undefined) {
    for (const store of ['redis', 'postgres', 'mongodb'] as const) {
      if (copy.stores[store]?.includes('://')) copy.stores[store] = MASK;
    }
  }
  return copy;
}

function maskValues(headers: Record<string, string> | undefined): void {
  for (const name of Object.keys(headers ?? {})) if (headers?.[name]) headers[name] = MASK;
}
