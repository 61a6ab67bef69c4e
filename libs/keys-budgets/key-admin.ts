import type { KeyObject } from 'node:crypto';
import { pageById, type Page, type Role } from '#libs/http/index.js';
import type { Clock } from '#libs/platform/clock.js';
import type { FileKeyConfig } from '#libs/platform/config.js';
import { AppError } from '#libs/platform/errors.js';
import type { Secret } from '#libs/platform/secret.js';
import type {
  AuditOrigin,
  DocumentChange,
  RegistryDocument,
  RegistryFeed,
  RegistryLook,
  RegistryWriter,
} from '#libs/registry/index.js';
import { invalid } from './invalid.js';
import { block, creation, revocation, rotation, unblock, update, type KeyChange } from './key-changes.js';
import { KEY_DEFAULTS, keyBody } from './key-document.js';
import { fileKeyId } from './key-index.js';
import { faultsOfRights, rightsOf } from './key-rights.js';
import type { Fault, KeySettings } from './key-settings.js';
import { viewOfDocument, viewOfFileKey, type KeyView } from './key-view.js';
import { OwnerIndex, type FileOwners } from './owner-index.js';
import { faultsOfOwners, OwnerLookup } from './owner-lookup.js';

/** What the configuration file declares, asked anew each time. */
export type Declared = () => FileOwners & { readonly keys: readonly FileKeyConfig[] };

/** Who changes something. */
export interface KeyEditor {
  readonly orgId: string;
  readonly role: Role;
  readonly origin: AuditOrigin;
}

export interface NewKey {
  readonly view: KeyView;
  readonly secret: Secret;
}

/** Which key, as its caller last saw it. */
export interface KeyRef {
  readonly id: string;
  /** `null`: whatever is there. */
  readonly expectedVersion: number | null;
}

/** What can be done to many keys at once. */
export type BulkAction = 'block' | 'unblock' | 'delete';

/** All keys of an organisation are held in memory by every replica; beyond this many, creation is refused. */
const MAX_KEYS = 200_000;
const FIELDS = Object.keys(KEY_DEFAULTS);

/**
 * The use cases of `/api/keys` (KEY-1). Reads come from this replica's snapshot, changes go to the registry: each is decided
 * on the registry as it stands, so that no owner vanishes between the look and the change.
 */
export class KeyAdmin {
  #owners = OwnerIndex.empty;

  constructor(
    private readonly writer: RegistryWriter,
    private readonly feed: RegistryFeed,
    private readonly declared: Declared,
    private readonly pepper: KeyObject,
    private readonly clock: Clock,
  ) {}

  /** Makes a key. The secret is in the answer and nowhere else. */
  async create(editor: KeyEditor, settings: KeySettings): Promise<NewKey> {
    const [made] = await this.createAll(editor, [settings], () => '');
    return made as NewKey;
  }

  /**
   * Makes keys, all or none.
   * @param pathOf what goes before a field's name in faults of the n-th key, such as `keys[3].`
   */
  async createAll(
    editor: KeyEditor,
    wishes: readonly KeySettings[],
    pathOf: (index: number) => string,
  ): Promise<readonly NewKey[]> {
    const { orgId, origin } = editor;
    if (this.feed.current().count('key') + wishes.length > MAX_KEYS) {
      throw new AppError('conflict', { text: `There can be ${MAX_KEYS} keys at most.` });
    }
    const made = wishes.map((settings) => creation(orgId, settings, this.pepper, origin));
    const documents = await this.writer.changeAll(async (look) => {
      const owners = await OwnerLookup.read(look, orgId, this.declared(), wishes);
      const faults = wishes.flatMap((settings, index) =>
        this.faultsOf(editor, settings, new Set(FIELDS), owners).map((fault) => under(pathOf(index), fault)),
      );
      if (faults.length > 0) throw invalid(faults);
      return made.map(({ change }) => change);
    });
    return documents.map((document, index) => ({
      view: this.view(document as RegistryDocument),
      secret: (made[index] as { readonly secret: Secret }).secret,
    }));
  }

  /** A new key with the settings of another, but for what `changes` says; the other may be one of the file. */
  clone(editor: KeyEditor, id: string, changes: Partial<KeySettings>): Promise<NewKey> {
    const { name, team, user, app, models, routes, tags, budgets, limits, ...rest } = this.get(editor.orgId, id);
    const { expiresAtMs, metadata, chain } = rest;
    const settings = { team, user, app, models, routes, tags, budgets, limits, expiresAtMs, metadata, chain };
    if (changes.expiresAtMs === undefined && expiresAtMs !== null && expiresAtMs <= this.clock.now()) {
      throw new AppError('conflict', { text: 'The key has expired: give its copy another "expires_at".' });
    }
    return this.create(editor, { name: `${name.slice(0, 120)} (copy)`, ...settings, ...changes });
  }

  /** Newest first, those of the file before all others. */
  list(orgId: string, limit: number, cursor: string | undefined): Page<KeyView> {
    const page = pageById(this.listed(orgId), limit, cursor, 'key');
    return { items: page.items.map((one) => ('body' in one ? this.view(one) : one)), nextCursor: page.nextCursor };
  }

  get(orgId: string, id: string): KeyView {
    const fileKey = this.declared().keys.find((key) => fileKeyId(key.name) === id);
    if (fileKey !== undefined) return viewOfFileKey(fileKey, this.clock.now(), this.owners());
    const document = this.feed.current().get(orgId, 'key', id);
    if (document === null) throw noSuchKey();
    return this.view(document);
  }

  /** Changes what is given in `changes`. A revoked key cannot be changed any more. */
  update(editor: KeyEditor, key: KeyRef, changes: Partial<KeySettings>): Promise<KeyView> {
    return this.change(key.id, async (look) => {
      const document = await look.get({ orgId: editor.orgId, kind: 'key', id: key.id });
      if (document === null) throw noSuchKey();
      const settings = { ...keyBody(document), name: document.name, ...changes };
      const owners = await OwnerLookup.read(look, editor.orgId, this.declared(), [settings]);
      const faults = this.faultsOf(editor, settings, new Set(Object.keys(changes)), owners);
      if (faults.length > 0) throw invalid(faults);
      return update({ ...editor, ...key }, changes);
    });
  }

  /** Ends a key for good; it stays listed. Revoking a revoked key changes nothing. */
  revoke(editor: KeyEditor, key: KeyRef): Promise<KeyView> {
    return this.change(key.id, async () => revocation({ ...editor, ...key }, this.clock.now()));
  }

  /** Stops a key until it is unblocked. */
  block(editor: KeyEditor, key: KeyRef, reason: string | null): Promise<KeyView> {
    return this.change(key.id, async () => block({ ...editor, ...key }, reason, this.clock.now()));
  }

  /**
   * Lets a blocked key work again; refused while an owner it names does not exist, since nothing would limit it then, and to
   * whoever could not give what it may.
   */
  unblock(editor: KeyEditor, key: KeyRef): Promise<KeyView> {
    return this.change(key.id, async (look) => {
      const document = await look.get({ orgId: editor.orgId, kind: 'key', id: key.id });
      if (document === null) throw noSuchKey();
      refuseBeyondRights(editor, document);
      const fault = await this.orphaned(look, document);
      if (fault !== null) throw new AppError('conflict', { text: fault });
      return unblock({ ...editor, ...key });
    });
  }

  /** Gives a key a new secret, to who could give what it may; the one before works for `graceMs` longer. */
  async rotate(editor: KeyEditor, key: KeyRef, graceMs: number): Promise<NewKey> {
    const { change, secret } = rotation(
      { ...editor, ...key },
      { graceMs, nowMs: this.clock.now(), pepper: this.pepper },
    );
    const view = await this.change(key.id, async (look) => {
      const document = await look.get({ orgId: editor.orgId, kind: 'key', id: key.id });
      if (document === null) throw noSuchKey();
      refuseBeyondRights(editor, document);
      return change;
    });
    return { view, secret };
  }

  /** Does the same to many keys, all or none; every id that cannot be changed is named. */
  async changeMany(
    editor: KeyEditor,
    ids: readonly string[],
    action: BulkAction,
    reason: string | null,
  ): Promise<readonly KeyView[]> {
    const documents = await this.writer.changeAll(async (look) => {
      const faults: Fault[] = [];
      for (const [index, id] of ids.entries()) {
        const message = ids.indexOf(id) < index ? 'stands there twice' : await this.faultOf(look, editor, id, action);
        if (message !== null) faults.push({ path: `ids[${index}]`, message });
      }
      if (faults.length > 0) throw invalid(faults);
      return ids.map((id) => this.bulkChange({ ...editor, id, expectedVersion: null }, action, reason));
    });
    return documents.map((document) => this.view(document as RegistryDocument));
  }

  private bulkChange(key: KeyChange, action: BulkAction, reason: string | null): DocumentChange {
    if (action === 'block') return block(key, reason, this.clock.now());
    return action === 'unblock' ? unblock(key) : revocation(key, this.clock.now());
  }

  private async faultOf(look: RegistryLook, editor: KeyEditor, id: string, action: BulkAction): Promise<string | null> {
    if (this.isOfFile(id)) return 'is declared in the configuration file and can only be changed there';
    const document = await look.get({ orgId: editor.orgId, kind: 'key', id });
    if (document === null) return 'names no key';
    if (action !== 'delete' && keyBody(document).revokedAtMs !== null) return 'is revoked';
    if (action !== 'unblock') return null;
    return beyondRights(editor, document) ?? this.orphaned(look, document);
  }

  /** What keeps a key from working again; `null` when nothing does. */
  private async orphaned(look: RegistryLook, document: RegistryDocument): Promise<string | null> {
    const settings = { ...keyBody(document), name: document.name };
    const owners = await OwnerLookup.read(look, document.orgId, this.declared(), [settings]);
    const [fault] = faultsOfOwners(settings, new Set(['team', 'user', 'app']), owners);
    return fault === undefined ? null : `The key cannot work again: its ${fault.path} ${fault.message}.`;
  }

  private faultsOf(
    editor: KeyEditor,
    settings: KeySettings,
    changed: ReadonlySet<string>,
    owners: OwnerLookup,
  ): readonly Fault[] {
    const given = Object.fromEntries(Object.entries(settings).filter(([field]) => changed.has(field)));
    return [...faultsOfRights(rightsOf(editor.role), given), ...faultsOfOwners(settings, changed, owners)];
  }

  private async change(id: string, plan: (look: RegistryLook) => Promise<DocumentChange>): Promise<KeyView> {
    if (this.isOfFile(id)) throw new AppError('file_owned');
    const [document] = await this.writer.changeAll(async (look) => [await plan(look)]);
    return this.view(document as RegistryDocument);
  }

  private *listed(orgId: string): Iterable<KeyView | RegistryDocument> {
    for (const key of this.declared().keys) yield viewOfFileKey(key, this.clock.now(), this.owners());
    for (const document of this.feed.current().all('key')) if (document.orgId === orgId) yield document;
  }

  private isOfFile(id: string): boolean {
    return this.declared().keys.some((key) => fileKeyId(key.name) === id);
  }

  private view(document: RegistryDocument): KeyView {
    return viewOfDocument(document, this.clock.now(), this.owners());
  }

  /** As this replica knows them now; the same object while nothing of them changes. */
  private owners(): OwnerIndex {
    return (this.#owners = this.#owners.at(this.feed.current(), this.declared()));
  }
}

/** What of a key goes beyond the rights of whoever would make it work; `null` when nothing does (KEY-1). */
function beyondRights({ role }: KeyEditor, document: RegistryDocument): string | null {
  const [fault] = faultsOfRights(rightsOf(role), keyBody(document));
  return fault === undefined ? null : `The key has more than you may give: its ${fault.path} ${fault.message}.`;
}

function refuseBeyondRights(editor: KeyEditor, document: RegistryDocument): void {
  const text = beyondRights(editor, document);
  if (text !== null) throw new AppError('permission_denied', { text });
}

function noSuchKey(): AppError {
  return new AppError('not_found', { text: 'There is no such key.' });
}

function under(path: string, fault: Fault): Fault {
  return { ...fault, path: path + fault.path };
}
