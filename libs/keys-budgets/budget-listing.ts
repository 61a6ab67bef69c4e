import type { BudgetConfig } from '#libs/platform/config.js';
import { periodAt } from '#libs/platform/zoned-time.js';
import type { RegistryState } from '#libs/registry/index.js';
import type { Declared } from './key-admin.js';
import { keyBody } from './key-document.js';
import { fileKeyId } from './key-index.js';
import { OWNER_KINDS, ownerBody } from './owner-document.js';
import { fileOwnersOf, OwnerIndex } from './owner-index.js';
import { definitionOf, type BudgetOwner, type OwnedBudget } from './ownership.js';

/** A budget with the period that is running. */
export interface RunningBudget {
  readonly budget: OwnedBudget;
  /** Whose it is, as `budgetId` names it. */
  readonly owner: BudgetOwner;
  /** What it is counted under: `<budget>|<period>`. */
  readonly field: string;
  /** Ms since 1970; `null` for a lifetime. */
  readonly startMs: number | null;
  readonly endMs: number | null;
}

/** What was spent of budgets and what is set aside. */
export interface BudgetSums {
  /**
   * Per field. `spentNanos`: by the rows of the ledger. `committedNanos`: what gateways own together, spent or set aside;
   * `null` where the counters do not answer. Rejects when the ledger does not answer.
   */
  of(
    orgId: string,
    fields: readonly string[],
  ): Promise<ReadonlyMap<string, { readonly spentNanos: number; readonly committedNanos: number | null }>>;
}

/** All budgets of an organisation, by their id. What the file declares goes before a document of the same name. */
export function listBudgets(
  orgId: string,
  registry: RegistryState,
  file: ReturnType<Declared>,
  nowMs: number,
): readonly RunningBudget[] {
  const org = new OwnerIndex(registry, file).org(orgId);
  const byId = new Map<string, RunningBudget>();
  const add = (owner: BudgetOwner, budgets: readonly BudgetConfig[]): void => {
    for (const config of budgets) {
      const budget = definitionOf(config, owner, org);
      if (!byId.has(budget.id)) byId.set(budget.id, running(budget, owner, nowMs));
    }
  };
  add({ scope: 'org', id: orgId, name: orgId }, org.budgets);
  for (const kind of OWNER_KINDS) {
    const declared = fileOwnersOf(file, kind);
    const names = new Set(declared.map(({ name }) => name));
    for (const { name, budgets } of declared) add({ scope: kind, id: name, name }, budgets);
    for (const document of registry.all(kind)) {
      const { name } = document;
      if (document.orgId === orgId && !names.has(name)) {
        add({ scope: kind, id: name, name }, ownerBody(document).budgets);
      }
    }
  }
  for (const { name, budgets } of file.keys) add({ scope: 'key', id: fileKeyId(name), name }, budgets);
  for (const document of registry.all('key')) {
    const { budgets, revokedAtMs } = keyBody(document);
    if (document.orgId !== orgId || revokedAtMs !== null) continue;
    add({ scope: 'key', id: document.id, name: document.name }, budgets);
  }
  return [...byId.values()].sort((a, b) => (a.budget.id < b.budget.id ? -1 : 1));
}

function running(budget: OwnedBudget, owner: BudgetOwner, nowMs: number): RunningBudget {
  const period = periodAt({ kind: budget.period, timeZone: budget.timeZone, weekStart: budget.weekStart }, nowMs);
  const bounded = (ms: number): number | null => (Number.isFinite(ms) ? ms : null);
  return {
    budget,
    owner,
    field: `${budget.id}|${period.name}`,
    startMs: bounded(period.startMs),
    endMs: bounded(period.endMs),
  };
}
