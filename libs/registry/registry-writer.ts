import type { DocumentRef, RegistryDocument } from './document.js';
import { bounded } from './probe.js';
import type { RegistryFeed } from './registry-feed.js';
import type { RegistryMirror } from './store/registry-mirror.js';
import type {
  AuditedChange,
  DocumentChange,
  DocumentContent,
  RegistryLook,
  RegistryStore,
} from './store/registry-store.js';

const APPLY_TIMEOUT_MS = 2_000;
const WAIT_POLL_MS = 50;

/** Which of the living replicas run a version. */
export interface Applied {
  readonly replicas: number;
  readonly applied: number;
}

/**
 * Changes the registry: durable first, then seen by this replica before the call returns (2 s at most), by the others within
 * a poll. Rejects as `RegistryStore` does; trouble after the commit is not an error of the change.
 */
export class RegistryWriter {
  constructor(
    private readonly store: RegistryStore,
    private readonly mirror: RegistryMirror,
    private readonly feed: RegistryFeed,
  ) {}

  async create(ref: DocumentRef, content: DocumentContent, audit: AuditedChange): Promise<RegistryDocument> {
    return this.seen(await this.store.create(ref, content, audit));
  }

  async update(
    ref: DocumentRef,
    expectedVersion: number | null,
    decide: (current: RegistryDocument) => DocumentContent,
    audit: AuditedChange,
  ): Promise<RegistryDocument> {
    return this.seen(await this.store.update(ref, expectedVersion, decide, audit));
  }

  async remove(ref: DocumentRef, expectedVersion: number | null, audit: AuditedChange): Promise<void> {
    await this.store.remove(ref, expectedVersion, audit);
    await this.refresh();
  }

  /** Changes several documents, all or none; see `RegistryStore.changeAll`. */
  async changeAll(
    plan: (look: RegistryLook) => Promise<readonly DocumentChange[]>,
  ): Promise<readonly RegistryDocument[]> {
    const documents = await this.store.changeAll(plan);
    if (documents.some(({ version }) => version > this.feed.current().version)) await this.refresh();
    return documents;
  }

  /** Waits until every living replica has announced a version at least as high, or the time is up (`?wait=applied`). */
  async waitApplied(version: number, timeoutMs = 5_000): Promise<Applied> {
    const giveUpAt = performance.now() + timeoutMs;
    for (;;) {
      const versions = [...(await bounded(this.mirror.replicas(), 1_000, 'Redis').catch(() => new Map())).values()];
      const applied = versions.filter((running) => running >= version).length;
      if ((applied === versions.length && applied > 0) || performance.now() >= giveUpAt) {
        return { replicas: versions.length, applied };
      }
      await new Promise((resolve) => setTimeout(resolve, WAIT_POLL_MS));
    }
  }

  private async seen(document: RegistryDocument): Promise<RegistryDocument> {
    if (this.feed.current().version < document.version) await this.refresh();
    return document;
  }

  private async refresh(): Promise<void> {
    await bounded(this.feed.refresh(), APPLY_TIMEOUT_MS, 'the registry feed').catch(() => {});
  }
}
