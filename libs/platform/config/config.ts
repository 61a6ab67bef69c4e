import type { Secret } from '../secret.js';
import type { CloudSettings } from './cloud.js';
import type { ConfigFile, ProviderType } from './schema.js';

/** How long one upstream call may take, in milliseconds. */
export interface UpstreamTimeouts {
  readonly connectMs: number;
  readonly firstByteMs: number;
  /** Between two chunks. */
  readonly idleMs: number;
  readonly totalMs: number;
}

export interface ProviderConfig {
  readonly name: string;
  readonly type: ProviderType;
  /** Absent only for `demo`, whose address is made at start. No slash at the end. */
  readonly baseUrl: string | null;
  readonly apiKey: Secret | null;
  readonly apiVersion: string | null;
  readonly streamUsage: boolean;
  readonly headers: Readonly<Record<string, Secret>>;
  readonly models: readonly string[];
  readonly timeouts: UpstreamTimeouts;
  /** What azure-openai, bedrock and vertex need besides. */
  readonly cloud?: CloudSettings;
}

export interface ModelConfig {
  readonly name: string;
  readonly provider: string;
  /** Model name at the provider. */
  readonly model: string;
  readonly contextTokens: number | null;
}

/** A virtual key declared in the file. */
export interface FileKeyConfig {
  readonly name: string;
  /** `null`: none was given; one is made and kept in the data folder. */
  readonly secret: Secret | null;
  readonly team: string | null;
  readonly models: readonly string[];
  readonly routes: readonly string[];
  readonly tags: readonly string[];
  readonly expiresAtMs: number | null;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface PriceOverride {
  readonly provider: string;
  readonly model: string;
  /** USD per million tokens. */
  readonly inputUsd: number;
  readonly outputUsd: number;
  readonly cachedInputUsd: number | null;
  readonly cacheWrite5mUsd: number | null;
  readonly cacheWrite1hUsd: number | null;
  readonly fromMs: number;
}

/** Settings that need a restart. */
export interface BootConfig {
  readonly listen: { readonly host: string; readonly port: number };
  /** Absolute path. */
  readonly dataDir: string;
  readonly stores: {
    /** `embedded`: a server on PATH or the bundled one. `bundled`: only the bundled one. */
    readonly redis: Secret | 'embedded' | 'bundled';
    readonly postgres: Secret | 'embedded' | 'bundled';
    /** `null`: bodies are kept in PostgreSQL. */
    readonly mongodb: Secret | null;
  };
  readonly drainMs: number;
  readonly bodyLimitBytes: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly readyFile: string | null;
}

/** Settings applied without a restart when the file changes. */
export interface LiveConfig {
  readonly egressAllow: readonly string[];
  readonly archive: { readonly bodies: boolean; readonly maxBodyBytes: number; readonly retentionDays: number };
  readonly ledgerRetentionDays: number;
  readonly providers: readonly ProviderConfig[];
  readonly models: readonly ModelConfig[];
  readonly keys: readonly FileKeyConfig[];
  readonly prices: readonly PriceOverride[];
}

export interface SmartflowConfig {
  readonly boot: BootConfig;
  readonly live: LiveConfig;
  /** What was understood but has no effect in this version, or is worth a second look; shown at start and by `validate`. */
  readonly warnings: readonly ConfigFault[];
  /** The file this came from; `null` when there is none and all is default. */
  readonly file: string | null;
  /** The parsed file with its secrets masked, for the settings page. */
  readonly source: ConfigFile;
}

/** One fault of a configuration file. */
export interface ConfigFault {
  /** Such as `providers.openai.base_url`; empty for the file as a whole. */
  readonly path: string;
  readonly line: number | null;
  readonly message: string;
}
