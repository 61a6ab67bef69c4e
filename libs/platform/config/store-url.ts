/** Stores by the name of their setting: URL schemes, and the variable that counts when the file is silent. */
export const STORES = {
  redis: { schemes: ['redis:', 'rediss:'], variable: 'REDIS_URL' },
  postgres: { schemes: ['postgres:', 'postgresql:'], variable: 'DATABASE_URL' },
  mongodb: { schemes: ['mongodb:', 'mongodb+srv:'], variable: 'MONGODB_URL' },
} as const;

export type StoreName = keyof typeof STORES;

export interface StoreSetting {
  readonly value: { readonly url: string } | 'embedded' | 'bundled';
  readonly problem: string | null;
}

/**
 * Reads the setting of a store: a URL, empty or `embedded` (a server on PATH, else the bundled one; for mongodb: none),
 * or `bundled`. The problem does not quote the URL, which may hold a password.
 */
export function parseStoreUrl(store: StoreName, text: string): StoreSetting {
  const setting = text.trim();
  if (setting === '' || setting === 'embedded') return { value: 'embedded', problem: null };
  if (setting === 'bundled') {
    const problem = store === 'mongodb' ? 'MongoDB has no bundled form: leave it empty or give a URL' : null;
    return { value: 'bundled', problem };
  }
  const { schemes } = STORES[store];
  const scheme = schemes.find((known) => setting.toLowerCase().startsWith(`${known}//`));
  const wanted = schemes.map((known) => `${known}//`).join(' or ');
  if (scheme === undefined) return { value: 'embedded', problem: `must be a URL that begins with ${wanted}` };
  // MongoDB URLs may list several hosts, which the URL standard does not know: only their beginning is checked here.
  if (/\s/.test(setting) || (store !== 'mongodb' && !URL.canParse(setting))) {
    return { value: 'embedded', problem: 'is no valid URL (special characters in a password must be percent-encoded)' };
  }
  return { value: { url: setting }, problem: null };
}
