import type { BudgetConfig, LimitsConfig } from '#libs/platform/config.js';
import { MOST_BUDGETS_OF_A_CALL, type BudgetDefinition, type BudgetScope } from './budgets/budget-definition.js';
import type { LimitScope } from './limits/limit-scope.js';
import type { OrgSettings, Owner, OwnerIndex } from './owner-index.js';

/** What of a key decides which budgets and limits its calls have. */
export interface OwnedKey {
  readonly id: string;
  readonly name: string;
  readonly orgId: string;
  readonly team: string | null;
  readonly user: string | null;
  readonly app: string | null;
  readonly tags: readonly string[];
  readonly budgets: readonly BudgetConfig[];
  readonly limits: LimitsConfig;
}

/** A budget with what alerts and reports want to know of it. */
export interface OwnedBudget extends BudgetDefinition {
  /** What people call whoever has the budget. */
  readonly ownerName: string;
  /** Shares of the limit at which to warn, ascending; 1 is all of it. */
  readonly warnAt: readonly number[];
}

/** The owners a key names and that exist, the most specific first. Without one of its owners a key is not used: `problemOf`. */
export function ownersOf(
  owners: OwnerIndex,
  key: Pick<OwnedKey, 'orgId' | 'team' | 'user' | 'app' | 'tags'>,
): readonly Owner[] {
  const named = [
    key.user === null ? null : owners.find(key.orgId, 'user', key.user),
    key.app === null ? null : owners.find(key.orgId, 'app', key.app),
    ...key.tags.map((tag) => owners.find(key.orgId, 'tag', tag)),
    key.team === null ? null : owners.find(key.orgId, 'team', key.team),
  ];
  return named.filter((owner) => owner !== null);
}

/**
 * The budgets that a call with a key is charged to, all of them together (KEY-2), the most specific first. Pure: the same key
 * and owners give the same list. Beyond `MOST_BUDGETS_OF_A_CALL` soft ones, which only count, are left out; that many hard
 * ones are left in, and who charges them has to refuse the call.
 */
export function budgetsOf(owners: OwnerIndex, key: OwnedKey): readonly OwnedBudget[] {
  const org = owners.org(key.orgId);
  const all = [
    ...key.budgets.map((budget) => definitionOf(budget, { scope: 'key', id: key.id, name: key.name }, org)),
    ...ownersOf(owners, key).flatMap(({ kind, name, budgets }) =>
      budgets.map((budget) => definitionOf(budget, { scope: kind, id: name, name }, org)),
    ),
    ...org.budgets.map((budget) => definitionOf(budget, { scope: 'org', id: key.orgId, name: key.orgId }, org)),
  ];
  if (all.length <= MOST_BUDGETS_OF_A_CALL) return all;
  const hard = all.filter(({ mode }) => mode !== 'soft');
  const kept = new Set([...hard, ...all.filter(({ mode }) => mode === 'soft')].slice(0, MOST_BUDGETS_OF_A_CALL));
  return all.filter((budget) => kept.has(budget) || budget.mode !== 'soft');
}

/** The rate limits that a call with a key counts against, the most specific first; those of the model come from elsewhere. */
export function limitScopesOf(owners: OwnerIndex, key: OwnedKey): readonly LimitScope[] {
  const scopes: LimitScope[] = [{ id: `key:${key.id}`, kind: 'key', name: key.name, limits: key.limits }];
  for (const { kind, name, limits } of ownersOf(owners, key)) {
    if (kind !== 'tag') scopes.push({ id: `${kind}:${name}`, kind, name, limits });
  }
  scopes.push({ id: `org:${key.orgId}`, kind: 'org', name: key.orgId, limits: owners.org(key.orgId).limits });
  return scopes.filter(({ limits }) => limits.rpm !== null || limits.tpm !== null || limits.maxParallel !== null);
}

export interface BudgetOwner {
  readonly scope: BudgetScope;
  /** A key's id, an owner's name, the organisation's id. */
  readonly id: string;
  readonly name: string;
}

/** A budget of somebody as calls are charged to it. */
export function definitionOf(budget: BudgetConfig, owner: BudgetOwner, org: OrgSettings): OwnedBudget {
  return {
    id: budgetId(owner.scope, owner.id, budget),
    scope: owner.scope,
    ownerName: owner.name,
    limitNanos: budget.limitNanos,
    period: budget.period,
    timeZone: budget.timeZone ?? org.timeZone,
    weekStart: budget.weekStart ?? org.weekStart,
    mode: budget.mode,
    warnAt: budget.warnAt,
  };
}

/**
 * What is spent is counted under this: who has the budget and its period, so that it goes on when the limit, the zone or the
 * thresholds change, or a hard mode becomes the other one. `soft` ones count apart, since a hard one of the same period may
 * stand beside them: a budget that changes between soft and hard begins with what its other id has counted.
 */
export function budgetId(scope: BudgetScope, owner: string, budget: Pick<BudgetConfig, 'period' | 'mode'>): string {
  return `${scope}:${owner}:${budget.period}${budget.mode === 'soft' ? ':soft' : ''}`;
}

const BUDGET_ID = /^(key|user|team|app|org|tag):(.+):(daily|weekly|monthly|lifetime)(:soft)?$/su;

/** The parts of a {@link budgetId}; `null` when the text is none. */
export function parseBudgetId(id: string): {
  readonly scope: BudgetScope;
  readonly owner: string;
  readonly period: BudgetDefinition['period'];
  readonly soft: boolean;
} | null {
  const match = BUDGET_ID.exec(id);
  if (match === null) return null;
  return {
    scope: match[1] as BudgetScope,
    owner: match[2] as string,
    period: match[3] as BudgetDefinition['period'],
    soft: match[4] !== undefined,
  };
}
