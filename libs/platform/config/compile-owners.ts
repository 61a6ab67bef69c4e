import { usdToNanos } from '../money.js';
import type { FileOrgConfig, FileOwnerConfig } from './config.js';
import { NO_LIMITS, weekdayNumber, type BudgetConfig, type LimitsConfig } from './governance.js';
import type { ConfigFile } from './schema.js';

type Written<K extends keyof ConfigFile> = NonNullable<ConfigFile[K]>;
type WrittenKey = Written<'keys'>[number];

/** Budgets of a file that has passed all checks. */
export function compileBudgets(budgets: WrittenKey['budgets']): readonly BudgetConfig[] {
  return (budgets ?? []).map((budget) => ({
    limitNanos: usdToNanos(budget.limit_usd) ?? 0, // checked: `checkBudgets` refuses what has no exact amount
    period: budget.period,
    timeZone: budget.time_zone ?? null,
    weekStart: budget.week_start === undefined ? null : weekdayNumber(budget.week_start),
    mode: budget.mode ?? 'clamp',
    warnAt: [...new Set(budget.warn_at ?? [])].sort((a, b) => a - b),
  }));
}

export function compileLimits(limits: WrittenKey['limits']): LimitsConfig {
  if (limits === undefined) return NO_LIMITS;
  return { rpm: limits.rpm ?? null, tpm: limits.tpm ?? null, maxParallel: limits.max_parallel ?? null };
}

/** Teams, users, apps or tags. */
export function compileOwners(owners: ConfigFile['teams' | 'tags']): readonly FileOwnerConfig[] {
  return Object.entries(owners ?? {}).map(([name, owner]: [string, Written<'teams'>[string]]) => ({
    name,
    displayName: owner.display_name ?? null,
    models: [...(owner.models ?? ['*'])],
    budgets: compileBudgets(owner.budgets),
    limits: compileLimits(owner.limits),
    ...(owner.chain === undefined ? {} : { chain: owner.chain }),
  }));
}

export function compileOrg(org: Written<'org'>): FileOrgConfig {
  return {
    displayName: org.display_name ?? null,
    timeZone: org.time_zone ?? 'UTC',
    weekStart: weekdayNumber(org.week_start ?? 'monday'),
    budgets: compileBudgets(org.budgets),
    limits: compileLimits(org.limits),
  };
}
