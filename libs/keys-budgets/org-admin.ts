import { AppError } from '#libs/platform/errors.js';
import {
  DEFAULT_ORG_ID,
  type AuditedChange,
  type AuditOrigin,
  type RegistryDocument,
  type RegistryFeed,
  type RegistryWriter,
} from '#libs/registry/index.js';
import type { Declared } from './key-admin.js';
import { auditOwner, orgBody, type OrgBody } from './owner-document.js';
import { livingKeys, refuseTooManyBudgets } from './key-problem.js';
import { DEFAULT_ORG_SETTINGS, OwnerIndex } from './owner-index.js';
import { viewOfFileOrg, viewOfOrg, type OrgSettingsWish, type OrgView } from './owner-view.js';

/** The use cases of `/api/orgs`. There is one organisation; what nobody has set of it is default. */
export class OrgAdmin {
  constructor(
    private readonly writer: RegistryWriter,
    private readonly feed: RegistryFeed,
    private readonly declared: Declared,
  ) {}

  list(orgId: string): readonly OrgView[] {
    return [this.get(orgId, orgId)];
  }

  get(ownOrgId: string, id: string): OrgView {
    if (id !== ownOrgId) throw noSuch();
    const { org } = this.declared();
    if (org !== null && id === DEFAULT_ORG_ID) return viewOfFileOrg(id, org);
    const document = this.feed.current().get(id, 'org', id);
    return document === null ? untouched(id) : viewOfOrg(document);
  }

  /** Changes what is given in `changes`; version 0 is what nobody has changed yet. */
  async update(
    ref: { readonly orgId: string; readonly id: string; readonly expectedVersion: number | null },
    changes: Partial<OrgSettingsWish>,
    origin: AuditOrigin,
  ): Promise<OrgView> {
    const { orgId, id, expectedVersion } = ref;
    if (id !== orgId) throw noSuch();
    if (this.declared().org !== null && id === DEFAULT_ORG_ID) throw new AppError('file_owned');
    const document = { orgId, kind: 'org', id } as const;
    if (changes.budgets !== undefined) this.refuseOverload(id, changes.budgets);
    const audit: AuditedChange = { action: 'org.update', origin, view: auditOwner };
    const [after] = await this.writer.changeAll(async (look) => {
      if ((await look.get(document)) !== null) {
        const decide = (current: RegistryDocument) => ({
          name: current.name,
          body: { ...orgBody(current), ...changes },
        });
        return [{ op: 'update', ref: document, expectedVersion, decide, audit }];
      }
      if (expectedVersion !== null && expectedVersion !== 0) {
        throw new AppError('conflict', { text: 'The object was changed by somebody else: read it again.' });
      }
      const body: OrgBody = { displayName: null, ...DEFAULT_ORG_SETTINGS, ...changes };
      return [{ op: 'create', ref: document, content: { name: id, body }, audit }];
    });
    return viewOfOrg(after as RegistryDocument);
  }

  private refuseOverload(orgId: string, after: OrgBody['budgets']): void {
    const registry = this.feed.current();
    const declared = this.declared();
    const owners = new OwnerIndex(registry, declared);
    const keys = livingKeys(registry, declared.keys);
    const before = owners.org(orgId).budgets;
    refuseTooManyBudgets(keys, owners, { concerns: (key) => key.orgId === orgId, before, after });
  }
}

function untouched(id: string): OrgView {
  return {
    displayName: null,
    ...DEFAULT_ORG_SETTINGS,
    id,
    name: id,
    source: 'api',
    version: 0,
    createdAtMs: null,
    updatedAtMs: null,
  };
}

function noSuch(): AppError {
  return new AppError('not_found', { text: 'There is no such organisation.' });
}
