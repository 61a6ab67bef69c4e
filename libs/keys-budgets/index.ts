export { BudgetBook, type FileBudgets } from './budget-book.js';
export { bootstrap, type FirstCredentials } from './bootstrap.js';
export { Admission, type AdmitRequest, type BudgetState, type Refusal } from './budgets/admission.js';
export type { BudgetCounters, BudgetLedger } from './budgets/budget-counters.js';
export {
  BUDGET_MODES,
  faultOfBudget,
  MOST_BUDGETS_OF_A_CALL,
  MOST_NANOS,
  type BudgetDefinition,
  type BudgetFault,
  type BudgetMode,
  type BudgetScope,
} from './budgets/budget-definition.js';
export type { BudgetSet } from './budgets/budget-set.js';
export { Budgets, newProcessId, type BudgetsOptions } from './budgets/budgets.js';
export { BudgetRefusal } from './budgets/budget-refusal.js';
export { PERIOD_KINDS, periodAt, type Period, type PeriodKind, type PeriodRule } from '#libs/platform/zoned-time.js';
export type { BudgetStats, BudgetTimes } from './budgets/process-host.js';
export { isOwnerAlive, spoolFolderOf, spoolPathProblem, SpoolUnusableError } from './budgets/spool-folder.js';
export {
  checkCounterStore,
  CounterStoreUnfitError,
  RedisBudgetCounters,
} from './budgets/store/budget-counters.redis.js';
export type { BudgetSums } from './budget-listing.js';
export { FileKeySecrets, type ResolvedFileKey } from './file-key-secrets.js';
export { KeyAdmin, type Declared } from './key-admin.js';
export { compileKeys, MAX_KEY_LENGTH, MIN_KEY_LENGTH, type KeyIndex, type KeyRecord } from './key-index.js';
export { unusableKeys } from './key-problem.js';
export type { KeyUse, KeyUses } from './key-view.js';
export { KeysModule, type From, type KeysModuleOptions } from './keys.module.js';
export type { LimitCounters, LimitMessage, LimitReply } from './limits/limit-counters.js';
export { LimitRefusal, LimitTicket, type LimitState, type RateState } from './limits/limit-ticket.js';
export { SharedLimiter, type Limiter, type SharedLimiterOptions, type TokenEstimate } from './limits/limiter.js';
export { RedisLimitCounters } from './limits/store/limit-counters.redis.js';
export type { LimitScope, LimitScopeKind } from './limits/limit-scope.js';
export { OwnerAdmin } from './owner-admin.js';
export type { OwnerKind } from './owner-document.js';
export { NO_FILE_OWNERS, OwnerIndex, type FileOwners, type OrgSettings, type Owner } from './owner-index.js';
export { budgetId, budgetsOf, parseBudgetId, type OwnedBudget, type OwnedKey } from './ownership.js';
export { readPepper, type PepperPurpose } from './peppers.js';
export { AdminLinks } from './store/admin-links.postgres.js';
export { AdminSessions, type AdminSession } from './store/admin-sessions.redis.js';
export { TokenAdmin } from './token-admin.js';
export { TokenIndex, type TokenRecord } from './token-index.js';
