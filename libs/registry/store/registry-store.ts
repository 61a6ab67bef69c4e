import type {
  DocumentBody,
  DocumentKind,
  DocumentRef,
  RegistryDelta,
  RegistryDocument,
  RegistryHead,
} from '../document.js';
import type { AuditOrigin } from './audit-record.js';

/** What a new or changed document shall hold. */
export interface DocumentContent {
  readonly name: string;
  readonly body: DocumentBody;
  /** No two living documents of one kind and organisation share it. `null`: names may repeat. */
  readonly uniqueName?: string | null;
}

/** How a change is recorded in the audit log. */
export interface AuditedChange {
  /** Such as `key.create`. */
  readonly action: string;
  readonly origin: AuditOrigin;
  /** What the log shows of a document, before and after. Secrets and their digests must be absent. */
  readonly view: (document: RegistryDocument) => unknown;
}

/** One change of several that are made together. */
export type DocumentChange =
  | {
      readonly op: 'create';
      readonly ref: DocumentRef;
      readonly content: DocumentContent;
      readonly audit: AuditedChange;
    }
  | {
      readonly op: 'update';
      readonly ref: DocumentRef;
      readonly expectedVersion: number | null;
      readonly decide: (current: RegistryDocument) => DocumentContent;
      readonly audit: AuditedChange;
    }
  | {
      readonly op: 'remove';
      readonly ref: DocumentRef;
      readonly expectedVersion: number | null;
      readonly audit: AuditedChange;
    };

/** The registry as it stands while changes are planned: nothing changes until they are committed. */
export interface RegistryLook {
  get(ref: DocumentRef): Promise<RegistryDocument | null>;
  /** The living document of a kind with a unique name, of each name that has one. */
  named(orgId: string, kind: DocumentKind, uniqueNames: readonly string[]): Promise<readonly RegistryDocument[]>;
  /** Documents of a kind whose body has these values (`null`: none) in its fields, at most `limit`, by id. */
  holding(
    orgId: string,
    kind: DocumentKind,
    values: Readonly<Record<string, string | null>>,
    limit: number,
  ): Promise<readonly RegistryDocument[]>;
}

/**
 * The durable registry. Each change is one transaction: the document, the next registry version and the audit row.
 * Rejects with `AppError` `conflict`, `not_found` or `store_unavailable`.
 */
export interface RegistryStore {
  head(): Promise<RegistryHead>;
  /** All that changed after a version, read in one snapshot; `full` from version 0. */
  changesSince(version: number): Promise<RegistryDelta>;
  /** One document as stored now; `null` when there is none. */
  get(ref: DocumentRef): Promise<RegistryDocument | null>;
  create(ref: DocumentRef, content: DocumentContent, audit: AuditedChange): Promise<RegistryDocument>;
  /**
   * Changes a document. `decide` gets it as stored and returns its new content, or the same object for "nothing to do".
   * `expectedVersion`: conflict when it has another one; `null` takes whatever is there.
   */
  update(
    ref: DocumentRef,
    expectedVersion: number | null,
    decide: (current: RegistryDocument) => DocumentContent,
    audit: AuditedChange,
  ): Promise<RegistryDocument>;
  remove(ref: DocumentRef, expectedVersion: number | null, audit: AuditedChange): Promise<void>;
  /**
   * Makes changes of several documents, all or none, each with a version and an audit row of its own. `plan` decides on the
   * registry as it stands: no other change comes between its look and the commit. It may throw; then nothing happens.
   * @returns in the order of the plan the documents after their change; removed ones as they were, with the version without them
   */
  changeAll(plan: (look: RegistryLook) => Promise<readonly DocumentChange[]>): Promise<readonly RegistryDocument[]>;
  /** Lifts the version above one that was seen elsewhere (after a restored backup), so that replicas accept this registry. */
  raiseAbove(version: number): Promise<RegistryHead>;
}
