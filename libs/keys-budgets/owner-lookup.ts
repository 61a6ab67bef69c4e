import { DEFAULT_ORG_ID, type RegistryLook } from '#libs/registry/index.js';
import { MOST_BUDGETS_OF_A_CALL } from './budgets/budget-definition.js';
import { covers } from './key-rights.js';
import type { Fault, KeySettings } from './key-settings.js';
import { orgBody, ownerBody, OWNER_KINDS, uniqueOwnerName, type OwnerBody, type OwnerKind } from './owner-document.js';
import { fileOwnersOf, type FileOwners } from './owner-index.js';

type KnownOwner = Pick<OwnerBody, 'models' | 'budgets'>;

/** The owners that some keys name, as they stand while a change is planned. */
export class OwnerLookup {
  readonly #known: ReadonlyMap<string, KnownOwner>;
  /** How many the organisation has. */
  readonly orgBudgets: number;

  private constructor(known: ReadonlyMap<string, KnownOwner>, orgBudgets: number) {
    this.#known = known;
    this.orgBudgets = orgBudgets;
  }

  /** Reads what the keys name, one question per kind, and one for the organisation. */
  static async read(
    look: RegistryLook,
    orgId: string,
    file: FileOwners,
    keys: readonly Partial<KeySettings>[],
  ): Promise<OwnerLookup> {
    const known = new Map<string, KnownOwner>();
    for (const kind of OWNER_KINDS) {
      const names = new Set(keys.flatMap((key) => namesOf(key, kind)));
      if (names.size === 0) continue;
      for (const document of await look.named(orgId, kind, [...names].map(uniqueOwnerName))) {
        known.set(`${kind}:${document.name}`, ownerBody(document));
      }
      for (const owner of fileOwnersOf(file, kind)) known.set(`${kind}:${owner.name}`, owner);
    }
    const org = await look.get({ orgId, kind: 'org', id: orgId });
    const orgSettings = orgId === DEFAULT_ORG_ID && file.org !== null ? file.org : org === null ? null : orgBody(org);
    return new OwnerLookup(known, orgSettings?.budgets.length ?? 0);
  }

  find(kind: OwnerKind, name: string): KnownOwner | null {
    return this.#known.get(`${kind}:${name}`) ?? null;
  }
}

function namesOf(key: Partial<KeySettings>, kind: OwnerKind): readonly string[] {
  if (kind === 'tag') return key.tags ?? [];
  const name = key[kind];
  return name === null || name === undefined ? [] : [name];
}

/**
 * What of a key does not go with its owners: one that does not exist, models that an owner may not use, more budgets than a
 * call can be charged to.
 *
 * @param changed the fields that are new; what was there before is not judged again
 */
export function faultsOfOwners(
  settings: KeySettings,
  changed: ReadonlySet<string>,
  owners: OwnerLookup,
): readonly Fault[] {
  const faults: Fault[] = [];
  let budgets = settings.budgets.length + owners.orgBudgets;
  for (const kind of OWNER_KINDS) {
    for (const name of namesOf(settings, kind)) {
      const owner = owners.find(kind, name);
      budgets += owner?.budgets.length ?? 0;
      if (kind === 'tag') continue; // a tag needs no document: that only gives it budgets
      if (owner === null) {
        if (changed.has(kind)) faults.push({ path: kind, message: `names a ${kind} that does not exist` });
        continue;
      }
      if (!changed.has(kind) && !changed.has('models')) continue;
      for (const [index, pattern] of settings.models.entries()) {
        // A key for everything means: for everything its owners may use.
        if (pattern === '*' || covers(owner.models, [pattern])) continue;
        faults.push({ path: `models[${index}]`, message: `goes beyond the models of its ${kind}` });
      }
    }
  }
  const raised = ['budgets', 'tags', 'team', 'user', 'app'].find((field) => changed.has(field));
  if (budgets > MOST_BUDGETS_OF_A_CALL && raised !== undefined) {
    faults.push({
      path: raised,
      message: `makes ${budgets} budgets for each call, those of owners, tags and the organisation included; at most ${MOST_BUDGETS_OF_A_CALL} can be charged`,
    });
  }
  return faults;
}
