import type { BudgetConfig, FileKeyConfig } from '#libs/platform/config.js';
import { AppError } from '#libs/platform/errors.js';
import { DEFAULT_ORG_ID, type RegistryState } from '#libs/registry/index.js';
import { MOST_BUDGETS_OF_A_CALL } from './budgets/budget-definition.js';
import { keyBody } from './key-document.js';
import type { OwnerIndex } from './owner-index.js';
import { ownersOf, type OwnedKey } from './ownership.js';

/** What of a key decides whether it can be used. */
export type JudgedKey = Pick<OwnedKey, 'orgId' | 'team' | 'user' | 'app' | 'tags' | 'budgets'>;

/**
 * Why the calls of a key have to be refused, as a sentence for its owner; `null`: they need not be. An owner that does not
 * exist would lift its caps and restrictions; more hard budgets than a call can be charged to would leave some out. (A tag
 * needs no document.)
 */
export function problemOf(owners: OwnerIndex, key: JudgedKey): string | null {
  for (const kind of ['team', 'user', 'app'] as const) {
    const name = key[kind];
    if (name !== null && owners.find(key.orgId, kind, name) === null) {
      return `The key belongs to the ${kind} "${name}", which does not exist.`;
    }
  }
  const hard = hardBudgetsOf(owners, key);
  if (hard <= MOST_BUDGETS_OF_A_CALL) return null;
  return `${hard} hard budgets apply to the key, its own and those of its owners and tags; a call can be charged to ${MOST_BUDGETS_OF_A_CALL} at most.`;
}

/** How many hard budgets a call of the key would be charged to. */
export function hardBudgetsOf(owners: OwnerIndex, key: JudgedKey): number {
  let hard = countHard(key.budgets) + countHard(owners.org(key.orgId).budgets);
  for (const { budgets } of ownersOf(owners, key)) hard += countHard(budgets);
  return hard;
}

export function countHard(budgets: readonly BudgetConfig[]): number {
  return budgets.reduce((count, { mode }) => (mode === 'soft' ? count : count + 1), 0);
}

/** A key by the name people know it by. */
export interface NamedKey extends JudgedKey {
  readonly name: string;
}

/** Every key that is not revoked, those of the file first. */
export function* livingKeys(registry: RegistryState, fileKeys: readonly FileKeyConfig[]): Generator<NamedKey> {
  for (const key of fileKeys) yield { ...key, orgId: DEFAULT_ORG_ID };
  for (const document of registry.all('key')) {
    const { revokedAtMs, team, user, app, tags, budgets } = keyBody(document);
    if (revokedAtMs !== null) continue;
    yield { name: document.name, orgId: document.orgId, team, user, app, tags, budgets };
  }
}

/** Keys whose calls are refused for a problem of theirs; for the log. @param most how many to name */
export function unusableKeys(
  registry: RegistryState,
  fileKeys: readonly FileKeyConfig[],
  owners: OwnerIndex,
  most: number,
): { readonly count: number; readonly named: readonly { readonly key: string; readonly problem: string }[] } {
  const named: { key: string; problem: string }[] = [];
  let count = 0;
  for (const key of livingKeys(registry, fileKeys)) {
    const problem = problemOf(owners, key);
    if (problem === null) continue;
    count += 1;
    if (named.length < most) named.push({ key: key.name, problem });
  }
  return { count, named };
}

/** Keys that a refusal names. */
const MOST_NAMED = 5;

/**
 * Refuses a change of an owner's budgets after which more hard ones would apply to a key than its calls can be charged to.
 * @param change `concerns`: the keys that belong to the owner; `before` and `after`: its budgets
 * @throws AppError `conflict`, naming keys
 */
export function refuseTooManyBudgets(
  keys: Iterable<NamedKey>,
  owners: OwnerIndex,
  change: {
    readonly concerns: (key: NamedKey) => boolean;
    readonly before: readonly BudgetConfig[];
    readonly after: readonly BudgetConfig[];
  },
): void {
  const more = countHard(change.after) - countHard(change.before);
  if (more <= 0) return;
  const names: string[] = [];
  let count = 0;
  for (const key of keys) {
    if (!change.concerns(key) || hardBudgetsOf(owners, key) + more <= MOST_BUDGETS_OF_A_CALL) continue;
    count += 1;
    if (names.length < MOST_NAMED) names.push(`"${key.name}"`);
  }
  if (count === 0) return;
  const others = count > names.length ? ` and ${count - names.length} more` : '';
  throw new AppError('conflict', {
    text: `More than ${MOST_BUDGETS_OF_A_CALL} hard budgets would apply to calls of ${count === 1 ? 'the key' : 'the keys'} ${names.join(', ')}${others}.`,
    param: 'budgets',
  });
}
