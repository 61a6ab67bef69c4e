import type { DocumentBody, DocumentRef, RegistryDelta, RegistryDocument, RegistryHead } from '../document.js';
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
  /** Lifts the version above one that was seen elsewhere (after a restored backup), so that replicas accept this registry. */
  raiseAbove(version: number): Promise<RegistryHead>;
}
