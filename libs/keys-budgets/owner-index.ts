import { NO_LIMITS, type FileOwnerConfig, type LiveConfig } from '#libs/platform/config.js';
import { DEFAULT_ORG_ID, RegistryState } from '#libs/registry/index.js';
import { compileGlobs, memoised, type Matcher } from '#libs/platform/glob.js';
import { OWNER_KINDS, orgBody, ownerBody, type OrgBody, type OwnerBody, type OwnerKind } from './owner-document.js';

/** The part of the configuration that declares owners. */
export type FileOwners = Pick<LiveConfig, 'org' | 'teams' | 'users' | 'apps' | 'tags'>;

export const NO_FILE_OWNERS: FileOwners = { org: null, teams: [], users: [], apps: [], tags: [] };

/** A team, user, app or tag as the data plane knows it. */
export interface Owner extends Pick<OwnerBody, 'models' | 'budgets' | 'limits'> {
  /** Fallback chain behind the models its keys ask for; teams only. */
  readonly chain: string | null;
  readonly kind: OwnerKind;
  readonly name: string;
  mayUseModel: Matcher;
}

/** Settings of an organisation as the data plane knows them. */
export type OrgSettings = Pick<OrgBody, 'timeZone' | 'weekStart' | 'budgets' | 'limits'>;

export const DEFAULT_ORG_SETTINGS: OrgSettings = { timeZone: 'UTC', weekStart: 1, budgets: [], limits: NO_LIMITS };

/** Entries of the file's section for a kind. */
export function fileOwnersOf(file: FileOwners, kind: OwnerKind): readonly FileOwnerConfig[] {
  return { team: file.teams, user: file.users, app: file.apps, tag: file.tags }[kind];
}

/**
 * Organisations, teams, users, apps and tags at one moment, for look-ups without I/O. What the file declares goes before a
 * document of the same name.
 */
export class OwnerIndex {
  static readonly empty = new OwnerIndex(RegistryState.empty, NO_FILE_OWNERS);

  readonly #registry: RegistryState;
  readonly #file: FileOwners;
  readonly #owners = new Map<string, Owner>();
  readonly #orgs = new Map<string, OrgSettings>();

  constructor(registry: RegistryState, file: FileOwners) {
    this.#registry = registry;
    this.#file = file;
    for (const kind of OWNER_KINDS) {
      for (const document of registry.all(kind)) {
        this.#add(document.orgId, kind, document.name, ownerBody(document));
      }
      for (const owner of fileOwnersOf(file, kind)) this.#add(DEFAULT_ORG_ID, kind, owner.name, owner);
    }
    for (const document of registry.all('org')) this.#orgs.set(document.id, orgBody(document));
    if (file.org !== null) this.#orgs.set(DEFAULT_ORG_ID, file.org);
  }

  /** The index of a later moment: this one, when nothing in it has changed, so that what was made from it stays good. */
  at(registry: RegistryState, file: FileOwners): OwnerIndex {
    const isSame =
      isSameFile(file, this.#file) &&
      ([...OWNER_KINDS, 'org'] as const).every((kind) => registry.sameKind(this.#registry, kind));
    return isSame ? this : new OwnerIndex(registry, file);
  }

  find(orgId: string, kind: OwnerKind, name: string): Owner | null {
    return this.#owners.get(pathOf(orgId, kind, name)) ?? null;
  }

  org(orgId: string): OrgSettings {
    return this.#orgs.get(orgId) ?? DEFAULT_ORG_SETTINGS;
  }

  #add(
    orgId: string,
    kind: OwnerKind,
    name: string,
    body: Pick<OwnerBody, 'models' | 'budgets' | 'limits' | 'chain'>,
  ): void {
    const { models, budgets, limits, chain = null } = body;
    const mayUseModel = memoised(compileGlobs(models));
    this.#owners.set(pathOf(orgId, kind, name), { kind, name, models, budgets, limits, chain, mayUseModel });
  }
}

function pathOf(orgId: string, kind: OwnerKind, name: string): string {
  return `${orgId}/${kind}/${name}`;
}

/** A changed file is a new object in each of its parts. */
function isSameFile(a: FileOwners, b: FileOwners): boolean {
  return a.org === b.org && a.teams === b.teams && a.users === b.users && a.apps === b.apps && a.tags === b.tags;
}
