import { NO_LIMITS, type BudgetConfig, type FileKeyConfig } from '#libs/platform/config.js';
import { DEFAULT_ORG_ID, RegistryState } from '#libs/registry/index.js';
import { keyBody } from './key-document.js';
import { fileKeyId } from './key-index.js';
import { NO_FILE_OWNERS, OwnerIndex, type FileOwners } from './owner-index.js';
import { budgetsOf, parseBudgetId, type OwnedBudget, type OwnedKey } from './ownership.js';

/** The part of the configuration that declares who has budgets. */
export type FileBudgets = FileOwners & { readonly keys: readonly FileKeyConfig[] };

/** Every budget there is at one moment, by the id under which its spending is counted. */
export class BudgetBook {
  static readonly empty = new BudgetBook(RegistryState.empty, { ...NO_FILE_OWNERS, keys: [] });

  readonly #registry: RegistryState;
  readonly #file: FileBudgets;
  readonly #owners: OwnerIndex;
  readonly #fileKeys: ReadonlyMap<string, FileKeyConfig>;

  /** @param before of an earlier moment: what has not changed since is taken over */
  constructor(registry: RegistryState, file: FileBudgets, before?: BudgetBook) {
    this.#registry = registry;
    this.#file = file;
    this.#owners = before === undefined ? new OwnerIndex(registry, file) : before.#owners.at(registry, file);
    const isSameFile = before !== undefined && before.#file.keys === file.keys;
    this.#fileKeys = isSameFile ? before.#fileKeys : new Map(file.keys.map((key) => [fileKeyId(key.name), key]));
  }

  /** The book of a later moment. */
  at(registry: RegistryState, file: FileBudgets): BudgetBook {
    return registry === this.#registry && file === this.#file ? this : new BudgetBook(registry, file, this);
  }

  /** `null` for one that is no more, or never was. */
  find(orgId: string, budgetId: string): OwnedBudget | null {
    const parts = parseBudgetId(budgetId);
    if (parts === null) return null;
    const { scope, owner } = parts;
    const nobody: OwnedKey = {
      ...{ id: '', name: '', orgId, team: null, user: null, app: null, tags: [], budgets: [] },
      limits: NO_LIMITS,
    };
    const key =
      scope === 'key'
        ? { ...nobody, ...this.#key(orgId, owner) }
        : scope === 'tag'
          ? { ...nobody, tags: [owner] }
          : scope === 'org'
            ? nobody
            : { ...nobody, [scope]: owner };
    return budgetsOf(this.#owners, key).find(({ id }) => id === budgetId) ?? null;
  }

  #key(
    orgId: string,
    id: string,
  ): { readonly id: string; readonly name: string; readonly budgets: readonly BudgetConfig[] } {
    const ofFile = orgId === DEFAULT_ORG_ID ? this.#fileKeys.get(id) : undefined;
    if (ofFile !== undefined) return { id, name: ofFile.name, budgets: ofFile.budgets };
    const document = this.#registry.get(orgId, 'key', id);
    return { id, name: document?.name ?? '', budgets: document === null ? [] : keyBody(document).budgets };
  }
}
