import type { BudgetConfig, LimitsConfig } from '#libs/platform/config.js';
import type { DocumentBody, RegistryDocument } from '#libs/registry/index.js';

/** What keys can belong to or be marked with; each a kind of registry document. */
export const OWNER_KINDS = ['team', 'user', 'app', 'tag'] as const;
export type OwnerKind = (typeof OWNER_KINDS)[number];

/**
 * What the registry keeps of a team, user, app or tag. Its name is its identity: keys, budgets and reports refer to it, and
 * it stays the same when it moves between the file and the registry. What people call it is `displayName`.
 */
export interface OwnerBody extends DocumentBody {
  readonly displayName: string | null;
  /** What its keys may use at most. */
  readonly models: readonly string[];
  readonly budgets: readonly BudgetConfig[];
  readonly limits: LimitsConfig;
  readonly metadata: Readonly<Record<string, string>>;
  /** Fallback chain behind the models its keys ask for; teams only, absent in documents of earlier versions. */
  readonly chain?: string | null;
}

/** What the registry keeps of an organisation's settings. */
export interface OrgBody extends DocumentBody {
  readonly displayName: string | null;
  /** IANA zone of budgets that name none. */
  readonly timeZone: string;
  /** 1 Monday … 7 Sunday. */
  readonly weekStart: number;
  readonly budgets: readonly BudgetConfig[];
  readonly limits: LimitsConfig;
}

/** The document's body; only this library writes documents of these kinds. */
export function ownerBody(document: RegistryDocument): OwnerBody {
  return document.body as OwnerBody;
}

export function orgBody(document: RegistryDocument): OrgBody {
  return document.body as OrgBody;
}

/** An owner or an organisation as the audit log shows it. */
export function auditOwner(document: RegistryDocument): unknown {
  return { name: document.name, ...document.body };
}

/** Under which no second one may exist: names that differ only in case or composition would be taken for one another. */
export function uniqueOwnerName(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

/** Id of an owner declared in the file: its name, so that it stays the same over restarts and in all instances. */
export function fileOwnerId(kind: OwnerKind, name: string): string {
  return `${kind}_file_${name}`;
}
