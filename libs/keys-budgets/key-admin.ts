import type { KeyObject } from 'node:crypto';
import type { Clock } from '#libs/platform/clock.js';
import type { FileKeyConfig } from '#libs/platform/config.js';
import { AppError } from '#libs/platform/errors.js';
import { newId } from '#libs/platform/ids.js';
import type { Secret } from '#libs/platform/secret.js';
import type {
  AuditedChange,
  AuditOrigin,
  DocumentRef,
  RegistryDocument,
  RegistryFeed,
  RegistryWriter,
} from '#libs/registry/index.js';
import { digestOf, makeCredential } from './credential.js';
import { auditKey, keyBody, type KeyBody } from './key-document.js';
import { fileKeyId } from './key-index.js';
import { pageById, type Page } from './page-by-id.js';

/** What an admin sets of a key. */
export interface KeySettings {
  readonly name: string;
  readonly team: string | null;
  readonly models: readonly string[];
  readonly routes: readonly string[];
  readonly tags: readonly string[];
  readonly expiresAtMs: number | null;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A key as the API shows it. */
export interface KeyView extends KeySettings {
  readonly id: string;
  /** Its first characters; `null` for keys of the file. */
  readonly hint: string | null;
  readonly status: 'active' | 'expired' | 'revoked';
  readonly source: 'api' | 'file';
  /** For `If-Match`; 0 for keys of the file. */
  readonly version: number;
  readonly createdAtMs: number | null;
  readonly updatedAtMs: number | null;
  readonly revokedAtMs: number | null;
}

/** All keys of an organisation are held in memory by every replica; beyond this many, creation is refused. */
const MAX_KEYS = 200_000;

/** The use cases of `/api/keys`. Reads come from this replica's snapshot, changes go to the registry. */
export class KeyAdmin {
  constructor(
    private readonly writer: RegistryWriter,
    private readonly feed: RegistryFeed,
    private readonly fileKeys: () => readonly FileKeyConfig[],
    private readonly pepper: KeyObject,
    private readonly clock: Clock,
  ) {}

  /** Makes a key. The secret is in the answer and nowhere else. */
  async create(orgId: string, settings: KeySettings, origin: AuditOrigin): Promise<{ view: KeyView; secret: Secret }> {
    if (this.feed.current().count('key') >= MAX_KEYS) {
      throw new AppError('conflict', { text: `There are ${MAX_KEYS} keys already.` });
    }
    const { secret, publicId } = makeCredential('sk-sf-');
    const { name, ...rest } = settings;
    const body: KeyBody = { publicId, digest: digestOf(this.pepper, secret.reveal()), ...rest, revokedAtMs: null };
    const ref: DocumentRef = { orgId, kind: 'key', id: newId('key') };
    const document = await this.writer.create(ref, { name, body }, audited('key.create', origin));
    return { view: this.view(document), secret };
  }

  /** Newest first, those of the file before all others. */
  list(orgId: string, limit: number, cursor: string | undefined): Page<KeyView> {
    const page = pageById(this.listed(orgId), limit, cursor, 'key');
    return { items: page.items.map((one) => ('body' in one ? this.view(one) : one)), nextCursor: page.nextCursor };
  }

  get(orgId: string, id: string): KeyView {
    const fileKey = this.fileKeys().find((key) => fileKeyId(key.name) === id);
    if (fileKey !== undefined) return this.fileView(fileKey);
    const document = this.feed.current().get(orgId, 'key', id);
    if (document === null) throw new AppError('not_found', { text: 'There is no such key.' });
    return this.view(document);
  }

  /** Changes what is given in `changes`. A revoked key cannot be changed any more. */
  async update(
    ref: { orgId: string; id: string },
    expectedVersion: number | null,
    changes: Partial<KeySettings>,
    origin: AuditOrigin,
  ): Promise<KeyView> {
    this.refuseFileKey(ref.id);
    const document = await this.writer.update(
      { ...ref, kind: 'key' },
      expectedVersion,
      (current) => {
        const body = keyBody(current);
        if (body.revokedAtMs !== null) throw new AppError('conflict', { text: 'The key is revoked.' });
        const { name = current.name, ...rest } = changes;
        return { name, body: { ...body, ...rest } };
      },
      audited('key.update', origin),
    );
    return this.view(document);
  }

  /** Ends a key for good; it stays listed. Revoking a revoked key changes nothing. */
  async revoke(
    ref: { orgId: string; id: string },
    expectedVersion: number | null,
    origin: AuditOrigin,
  ): Promise<KeyView> {
    this.refuseFileKey(ref.id);
    const document = await this.writer.update(
      { ...ref, kind: 'key' },
      expectedVersion,
      (current) => {
        const body = keyBody(current);
        if (body.revokedAtMs !== null) return current;
        return { name: current.name, body: { ...body, revokedAtMs: this.clock.now() } };
      },
      audited('key.revoke', origin),
    );
    return this.view(document);
  }

  private *listed(orgId: string): Iterable<KeyView | RegistryDocument> {
    for (const key of this.fileKeys()) yield this.fileView(key);
    for (const document of this.feed.current().all('key')) if (document.orgId === orgId) yield document;
  }

  private refuseFileKey(id: string): void {
    if (this.fileKeys().some((key) => fileKeyId(key.name) === id)) throw new AppError('file_owned');
  }

  private view(document: RegistryDocument): KeyView {
    const { digest: _digest, publicId, ...body } = keyBody(document);
    const expired = body.expiresAtMs !== null && body.expiresAtMs <= this.clock.now();
    return {
      ...body,
      id: document.id,
      name: document.name,
      hint: `sk-sf-${publicId}`,
      status: body.revokedAtMs !== null ? 'revoked' : expired ? 'expired' : 'active',
      source: 'api',
      version: document.version,
      createdAtMs: document.createdAtMs,
      updatedAtMs: document.updatedAtMs,
    };
  }

  private fileView(key: FileKeyConfig): KeyView {
    const { secret: _secret, ...settings } = key;
    const expired = key.expiresAtMs !== null && key.expiresAtMs <= this.clock.now();
    return {
      ...settings,
      id: fileKeyId(key.name),
      hint: null,
      status: expired ? 'expired' : 'active',
      source: 'file',
      version: 0,
      createdAtMs: null,
      updatedAtMs: null,
      revokedAtMs: null,
    };
  }
}

function audited(action: string, origin: AuditOrigin): AuditedChange {
  return { action, origin, view: auditKey };
}
