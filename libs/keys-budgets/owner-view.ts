import type { FileOrgConfig, FileOwnerConfig } from '#libs/platform/config.js';
import type { RegistryDocument } from '#libs/registry/index.js';
import { fileOwnerId, orgBody, ownerBody, type OrgBody, type OwnerBody, type OwnerKind } from './owner-document.js';

/** What an admin sets of a team, user, app or tag. The name stays what it is. */
export type OwnerSettings = Pick<OwnerBody, 'displayName' | 'models' | 'budgets' | 'limits' | 'metadata' | 'chain'>;
export type OrgSettingsWish = Pick<OrgBody, 'displayName' | 'timeZone' | 'weekStart' | 'budgets' | 'limits'>;

interface Kept {
  readonly id: string;
  readonly name: string;
  readonly source: 'api' | 'file';
  /** For `If-Match`; 0 for what the file declares. */
  readonly version: number;
  readonly createdAtMs: number | null;
  readonly updatedAtMs: number | null;
}

/** A team, user, app or tag as the API shows it. */
export interface OwnerView extends OwnerSettings, Kept {}
/** An organisation's settings as the API shows them. */
export interface OrgView extends OrgSettingsWish, Kept {}

export function viewOfOwner(document: RegistryDocument): OwnerView {
  const { displayName, models, budgets, limits, metadata, chain = null } = ownerBody(document);
  return { displayName, models, budgets, limits, metadata, chain, ...keptOf(document) };
}

export function viewOfFileOwner(kind: OwnerKind, owner: FileOwnerConfig): OwnerView {
  return { ...owner, metadata: {}, id: fileOwnerId(kind, owner.name), ...OF_FILE };
}

export function viewOfOrg(document: RegistryDocument): OrgView {
  const { displayName, timeZone, weekStart, budgets, limits } = orgBody(document);
  return { displayName, timeZone, weekStart, budgets, limits, ...keptOf(document) };
}

export function viewOfFileOrg(orgId: string, org: FileOrgConfig): OrgView {
  return { ...org, id: orgId, name: orgId, ...OF_FILE };
}

const OF_FILE = { source: 'file', version: 0, createdAtMs: null, updatedAtMs: null } as const;

function keptOf(document: RegistryDocument): Kept {
  const { id, name, version, createdAtMs, updatedAtMs } = document;
  return { id, name, source: 'api', version, createdAtMs, updatedAtMs };
}
