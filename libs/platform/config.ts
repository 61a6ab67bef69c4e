// The entry of the configuration part: what other libraries and apps may know of it.
export type {
  AwsKey,
  AwsWebIdentity,
  AzureSettings,
  BedrockSettings,
  CloudSettings,
  EntraSettings,
  ServiceAccount,
  VertexSettings,
} from './config/cloud.js';
export type {
  BootConfig,
  ConfigFault,
  FileKeyConfig,
  LiveConfig,
  ModelConfig,
  PriceOverride,
  ProviderConfig,
  SmartflowConfig,
  UpstreamTimeouts,
} from './config/config.js';
export { readEnvironment } from './config/environment.js';
export type { Environment } from './config/environment.js';
export { loadConfig } from './config/load.js';
export type { LoadRequest, LoadResult } from './config/load.js';
export type { ConfigFile, ProviderType } from './config/schema.js';
export { renderJsonSchema } from './config/json-schema.js';
export { renderReport } from './config/validate.js';
export { watchConfig } from './config/watch.js';
export type { ConfigWatch, WatchHandlers, WatchOptions } from './config/watch.js';
