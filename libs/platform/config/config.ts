import type { Secret } from '../secret.js';
import type { BudgetConfig, LimitsConfig } from './governance.js';
import type { ChainConfig } from './chain-schema.js';
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

/** What becomes of a call whose caller left before its end. */
export interface ClientGonePolicy {
  /** `drain`: the answer is read to its end for the usage, as it may be billed in full anyway. */
  readonly action: 'cancel' | 'drain';
  /** Bounds of draining, counted from the moment the caller left. */
  readonly maxBytes: number;
  readonly maxMs: number;
}

export interface ProviderConfig {
  readonly name: string;
  readonly type: ProviderType;
  /** Absent only for `demo`, whose address is made at start. No slash at the end. */
  readonly baseUrl: string | null;
  readonly apiKey: Secret | null;
  readonly apiVersion: string | null;
  readonly streamUsage: boolean;
  /** Service tier of calls that ask for none; `null`: the standard one. */
  readonly defaultTier: string | null;
  readonly headers: Readonly<Record<string, Secret>>;
  readonly models: readonly string[];
  /** Names and globs of models that have only one of OpenAI's two APIs; absent: none beside those known by name. */
  readonly responsesOnly?: readonly string[];
  readonly chatOnly?: readonly string[];
  readonly timeouts: UpstreamTimeouts;
  readonly clientGone: ClientGonePolicy;
  /** What azure-openai, bedrock and vertex need besides. */
  readonly cloud?: CloudSettings;
}

export interface ModelConfig {
  readonly name: string;
  readonly provider: string;
  /** Model name at the provider. */
  readonly model: string;
  readonly contextTokens: number | null;
  /** Of the target, for all callers together. */
  readonly limits: LimitsConfig;
  /** Fallback chain that stands behind the model. */
  readonly chain?: string;
}

/** A virtual key declared in the file. */
export interface FileKeyConfig {
  readonly name: string;
  /** `null`: none was given; one is made and kept in the data folder. */
  readonly secret: Secret | null;
  readonly team: string | null;
  readonly user: string | null;
  readonly app: string | null;
  readonly models: readonly string[];
  readonly routes: readonly string[];
  readonly tags: readonly string[];
  readonly budgets: readonly BudgetConfig[];
  readonly limits: LimitsConfig;
  readonly expiresAtMs: number | null;
  readonly metadata: Readonly<Record<string, string>>;
  /** Fallback chain that stands behind the models it asks for. */
  readonly chain?: string;
}

/** A team, user, app or tag declared in the file. */
export interface FileOwnerConfig {
  readonly name: string;
  readonly displayName: string | null;
  /** What its keys may use at most. */
  readonly models: readonly string[];
  readonly budgets: readonly BudgetConfig[];
  readonly limits: LimitsConfig;
  /** Of teams: fallback chain that stands behind the models its keys ask for. */
  readonly chain?: string | null;
}

/** Settings of the organisation declared in the file. */
export interface FileOrgConfig {
  readonly displayName: string | null;
  /** IANA zone of budgets that name none. */
  readonly timeZone: string;
  /** 1 Monday … 7 Sunday. */
  readonly weekStart: number;
  readonly budgets: readonly BudgetConfig[];
  readonly limits: LimitsConfig;
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
  readonly inputAudioUsd?: number | null;
  readonly outputAudioUsd?: number | null;
  readonly inputImageUsd?: number | null;
  readonly outputImageUsd?: number | null;
  /** USD per thousand searches run by the provider. */
  readonly webSearchUsd?: number | null;
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
  /** Calls without a caller that one gateway reads to their end at the same time. */
  readonly clientGoneCalls: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly readyFile: string | null;
}

/** Settings applied without a restart when the file changes. */
export interface LiveConfig {
  readonly egressAllow: readonly string[];
  readonly archive: { readonly bodies: boolean; readonly maxBodyBytes: number; readonly retentionDays: number };
  readonly ledgerRetentionDays: number;
  /** Of the roll-ups that reports are made from. */
  readonly reportRetentionDays: number;
  readonly providers: readonly ProviderConfig[];
  readonly models: readonly ModelConfig[];
  readonly chains: readonly ChainConfig[];
  readonly keys: readonly FileKeyConfig[];
  /** `null`: the file has no `org` section; the registry's counts. */
  readonly org: FileOrgConfig | null;
  readonly teams: readonly FileOwnerConfig[];
  readonly users: readonly FileOwnerConfig[];
  readonly apps: readonly FileOwnerConfig[];
  readonly tags: readonly FileOwnerConfig[];
  readonly prices: readonly PriceOverride[];
  /** What becomes of calls to models without a known price. */
  readonly unpricedModels: 'allow' | 'refuse';
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
