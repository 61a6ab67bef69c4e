// The entry of the configuration part: what other libraries and apps may know of it.
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
export type { ProviderType } from './config/schema.js';
