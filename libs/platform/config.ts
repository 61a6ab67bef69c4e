// The entry of the configuration part: what other libraries and apps may know of it.
export { checkChain, type ChainSurroundings } from './config/check-chains.js';
export {
  CHAIN_NAME,
  FAILURE_ACTIONS,
  FAILURE_CLASSES,
  MOST_ATTEMPTS,
  STRATEGIES,
  writeChain,
  type ChainConfig,
  type ChainRetryConfig,
  type ChainSettings,
  type ChainStepConfig,
  type ChainTargetConfig,
  type FailureAction,
  type FailureClass,
  type Strategy,
  type WrittenChain,
} from './config/chain-schema.js';
export { parseChain, type ParsedChain } from './config/parse-chain.js';
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
  ClientGonePolicy,
  ConfigFault,
  FileKeyConfig,
  FileOrgConfig,
  FileOwnerConfig,
  LiveConfig,
  ModelConfig,
  PriceOverride,
  ProviderConfig,
  SmartflowConfig,
  UpstreamTimeouts,
} from './config/config.js';
export {
  BUDGET_MODES,
  BUDGET_PERIODS,
  doubledBudget,
  isTimeZone,
  MOST_BUDGETS,
  MOST_PARALLEL,
  MOST_RPM,
  MOST_TPM,
  MOST_WARN_AT,
  MOST_WARNINGS,
  NO_LIMITS,
  OWNER_NAME,
  TAG_NAME,
  WEEK_STARTS,
  WEEKDAYS,
  weekdayNumber,
} from './config/governance.js';
export type { BudgetConfig, BudgetConfigMode, BudgetPeriod, LimitsConfig, WeekStart } from './config/governance.js';
export { readEnvironment } from './config/environment.js';
export type { Environment } from './config/environment.js';
export { loadConfig } from './config/load.js';
export type { LoadRequest, LoadResult } from './config/load.js';
export type { ConfigFile, ProviderType } from './config/schema.js';
export { renderJsonSchema } from './config/json-schema.js';
export { renderReport } from './config/validate.js';
export { watchConfig } from './config/watch.js';
export type { ConfigWatch, WatchHandlers, WatchOptions } from './config/watch.js';
