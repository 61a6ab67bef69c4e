import { isAbsolute, resolve } from 'node:path';
import { Secret } from '../secret.js';
import { compileChainSettings } from './chain-schema.js';
import { DEFAULT_BASE_URLS } from './check-providers.js';
import { cloudBaseUrl, compileCloud } from './cloud.js';
import type {
  BootConfig,
  FileKeyConfig,
  LiveConfig,
  ModelConfig,
  PriceOverride,
  ProviderConfig,
  UpstreamTimeouts,
} from './config.js';
import { compileBudgets, compileLimits, compileOrg, compileOwners } from './compile-owners.js';
import { parseListen } from './listen.js';
import type { Overrides } from './overrides.js';
import type { ConfigFile } from './schema.js';
import { parseStoreUrl, type StoreName, type StoreSetting } from './store-url.js';

/** Where relative paths begin: those of the file in its own folder, those of the environment in the working folder. */
export interface Folders {
  readonly file: string;
  readonly working: string;
}

/** Boot settings of a file that has passed all checks: environment before file before default. */
export function compileBoot(file: ConfigFile, overrides: Overrides, folders: Folders): BootConfig {
  const listen = parseListen(file.listen ?? '127.0.0.1:8080') ?? { host: '127.0.0.1', port: 8080 };
  return {
    listen: { host: overrides.host ?? listen.host, port: overrides.port ?? listen.port },
    dataDir: dataDirOf(file, overrides, folders),
    stores: {
      redis: serverOf('redis', file, overrides),
      postgres: serverOf('postgres', file, overrides),
      mongodb: archiveOf(file, overrides),
    },
    drainMs: file.limits?.drain_ms ?? 120_000,
    bodyLimitBytes: file.limits?.body_bytes ?? 20_971_520,
    clientGoneCalls: file.limits?.client_gone_calls ?? 64,
    logLevel: overrides.logLevel ?? file.log?.level ?? 'info',
    readyFile: overrides.readyFile === null ? null : resolve(folders.working, overrides.readyFile),
  };
}

/** Live settings of a file that has passed all checks. */
export function compileLive(file: ConfigFile): LiveConfig {
  const providers = Object.entries(file.providers ?? { demo: { type: 'demo' as const } }).map(([name, provider]) =>
    toProviderConfig(name, provider),
  );
  return {
    egressAllow: [...(file.egress?.allow ?? [])],
    archive: {
      bodies: file.archive?.bodies ?? true,
      maxBodyBytes: file.archive?.max_body_bytes ?? 1_048_576,
      retentionDays: file.archive?.retention_days ?? 30,
    },
    ledgerRetentionDays: file.ledger?.retention_days ?? 400,
    reportRetentionDays: file.ledger?.report_retention_days ?? 1200,
    providers,
    models: Object.entries(file.models ?? {}).map(([name, model]) => compileModel(name, model)),
    chains: Object.entries(file.fallback_chains ?? {}).map(([name, chain]) => ({
      name,
      ...compileChainSettings(chain),
    })),
    keys: (file.keys ?? []).map(compileKey),
    org: file.org === undefined ? null : compileOrg(file.org),
    teams: compileOwners(file.teams),
    users: compileOwners(file.users),
    apps: compileOwners(file.apps),
    tags: compileOwners(file.tags),
    prices: Object.entries(file.prices ?? {}).map(([target, price]) => compilePrice(target, price)),
    unpricedModels: file.pricing?.unpriced ?? 'allow',
  };
}

function dataDirOf(file: ConfigFile, overrides: Overrides, folders: Folders): string {
  if (overrides.dataDir !== null) return resolve(folders.working, overrides.dataDir);
  const dataDir = file.data_dir === undefined || file.data_dir === '' ? './data' : file.data_dir;
  return isAbsolute(dataDir) ? resolve(dataDir) : resolve(folders.file, dataDir);
}

function settingOf(store: StoreName, file: ConfigFile, overrides: Overrides): StoreSetting['value'] {
  const written = file.stores?.[store];
  return written === undefined ? (overrides.stores[store]?.value ?? 'embedded') : parseStoreUrl(store, written).value;
}

function serverOf(
  store: 'redis' | 'postgres',
  file: ConfigFile,
  overrides: Overrides,
): Secret | 'embedded' | 'bundled' {
  const value = settingOf(store, file, overrides);
  return typeof value === 'string' ? value : new Secret(value.url);
}

function archiveOf(file: ConfigFile, overrides: Overrides): Secret | null {
  const value = settingOf('mongodb', file, overrides);
  return typeof value === 'string' ? null : new Secret(value.url);
}

type Written<Section extends keyof ConfigFile> = NonNullable<ConfigFile[Section]>;

function toProviderConfig(name: string, provider: Written<'providers'>[string]): ProviderConfig {
  const baseUrl = provider.base_url ?? DEFAULT_BASE_URLS[provider.type] ?? cloudBaseUrl(provider);
  const cloud = compileCloud(provider);
  const headers = Object.entries(provider.headers ?? {}).filter(([, value]) => value !== '');
  return {
    name,
    type: provider.type,
    baseUrl: provider.type === 'demo' || baseUrl === undefined ? null : canonicalUrl(baseUrl),
    apiKey: provider.api_key === undefined || provider.api_key === '' ? null : new Secret(provider.api_key),
    apiVersion: provider.api_version === undefined || provider.api_version === '' ? null : provider.api_version,
    streamUsage: provider.stream_usage ?? asksStreamUsage(provider),
    defaultTier:
      provider.default_tier === undefined || provider.default_tier === 'default' ? null : provider.default_tier,
    headers: Object.fromEntries(headers.map(([header, value]) => [header.toLowerCase(), new Secret(value)])),
    models: [...(provider.models ?? [])],
    responsesOnly: [...(provider.responses_only ?? [])],
    chatOnly: [...(provider.chat_only ?? [])],
    timeouts: compileTimeouts(provider.timeouts),
    clientGone: {
      action: provider.on_client_gone ?? 'cancel',
      maxBytes: provider.client_gone_bytes ?? 16_777_216,
      maxMs: provider.client_gone_ms ?? 120_000,
    },
    ...(cloud === undefined ? {} : { cloud }),
  };
}

/** Azure's dated APIs know `stream_options` since this version; earlier ones refuse it. */
const AZURE_STREAM_OPTIONS_SINCE = '2024-09-01';

function asksStreamUsage(provider: Written<'providers'>[string]): boolean {
  const dated =
    provider.type === 'azure-openai' ? (/^\d{4}-\d\d-\d\d/.exec(provider.api_version ?? '')?.[0] ?? '') : '';
  return dated === '' || dated >= AZURE_STREAM_OPTIONS_SINCE;
}

/** As the URL standard writes it, so that an odd spelling of a host is the host that was checked; no slash at the end. */
function canonicalUrl(text: string): string {
  const url = new URL(text);
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

function compileTimeouts(timeouts: Written<'providers'>[string]['timeouts']): UpstreamTimeouts {
  return {
    connectMs: timeouts?.connect_ms ?? 10_000,
    firstByteMs: timeouts?.first_byte_ms ?? 600_000,
    idleMs: timeouts?.idle_ms ?? 240_000,
    totalMs: timeouts?.total_ms ?? 1_800_000,
  };
}

function compileModel(name: string, model: Written<'models'>[string]): ModelConfig {
  return {
    name,
    ...splitTarget(model.target),
    contextTokens: model.context_tokens ?? null,
    limits: compileLimits(model.limits),
    ...(model.chain === undefined ? {} : { chain: model.chain }),
  };
}

function compileKey(key: Written<'keys'>[number]): FileKeyConfig {
  return {
    name: key.name,
    secret: key.key === undefined || key.key === '' ? null : new Secret(key.key),
    team: key.team ?? null,
    user: key.user ?? null,
    app: key.app ?? null,
    models: [...(key.models ?? ['*'])],
    routes: [...(key.routes ?? ['*'])],
    tags: [...(key.tags ?? [])],
    budgets: compileBudgets(key.budgets),
    limits: compileLimits(key.limits),
    expiresAtMs: key.expires_at === undefined ? null : Date.parse(key.expires_at),
    metadata: { ...key.metadata },
    ...(key.chain === undefined ? {} : { chain: key.chain }),
  };
}

function compilePrice(target: string, price: Written<'prices'>[string]): PriceOverride {
  return {
    ...splitTarget(target),
    inputUsd: price.input,
    outputUsd: price.output,
    cachedInputUsd: price.cached_input ?? null,
    cacheWrite5mUsd: price.cache_write_5m ?? null,
    cacheWrite1hUsd: price.cache_write_1h ?? null,
    ...(price.input_audio === undefined ? {} : { inputAudioUsd: price.input_audio }),
    ...(price.output_audio === undefined ? {} : { outputAudioUsd: price.output_audio }),
    ...(price.input_image === undefined ? {} : { inputImageUsd: price.input_image }),
    ...(price.output_image === undefined ? {} : { outputImageUsd: price.output_image }),
    ...(price.web_search === undefined ? {} : { webSearchUsd: price.web_search }),
    fromMs: price.from === undefined ? 0 : Date.parse(price.from),
  };
}

/** `provider/model`; the model's name may contain slashes itself. */
function splitTarget(target: string): { readonly provider: string; readonly model: string } {
  const slash = target.indexOf('/');
  return { provider: target.slice(0, slash), model: target.slice(slash + 1) };
}
