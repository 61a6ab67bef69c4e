import type { BootConfig } from '#libs/platform/config.js';
import type { StoreUrls } from './store-urls.js';

export interface StartStoresOptions {
  readonly dataDir: string;
  readonly stores: BootConfig['stores'];
  readonly onProgress?: (message: string) => void;
}

export interface RunningStores {
  readonly urls: StoreUrls;
  readonly descriptions: { readonly postgres: string; readonly redis: string; readonly archive: string };
  onFailure(listener: (store: string, why: string) => void): void;
  stop(): Promise<void>;
}

export async function startStores(_options: StartStoresOptions): Promise<RunningStores> {
  throw new Error('being written');
}
