import { pageById, type Page } from '#libs/http/index.js';
import type { Clock } from '#libs/platform/clock.js';
import type { FileOwnerConfig } from '#libs/platform/config.js';
import { AppError } from '#libs/platform/errors.js';
import { newId } from '#libs/platform/ids.js';
import {
  DEFAULT_ORG_ID,
  type AuditedChange,
  type AuditOrigin,
  type DocumentChange,
  type RegistryDocument,
  type RegistryFeed,
  type RegistryLook,
  type RegistryWriter,
} from '#libs/registry/index.js';
import type { Declared } from './key-admin.js';
import { block } from './key-changes.js';
import { keyBody } from './key-document.js';
import {
  auditOwner,
  fileOwnerId,
  ownerBody,
  uniqueOwnerName,
  type OwnerBody,
  type OwnerKind,
} from './owner-document.js';
import { countHard, livingKeys, refuseTooManyBudgets, type NamedKey } from './key-problem.js';
import { fileOwnersOf, OwnerIndex } from './owner-index.js';
import { viewOfFileOwner, viewOfOwner, type OwnerSettings, type OwnerView } from './owner-view.js';

/** Owners of one kind are held in memory by every replica; beyond this many, creation is refused. */
const MAX_OWNERS = 50_000;
/** Keys that one deletion may block: each is a version and an audit row of the same transaction. */
const MOST_CASCADED = 2_000;

/** Which owner, as its caller last saw it. */
export interface OwnerRef {
  readonly orgId: string;
  readonly kind: OwnerKind;
  /** Its id or its name. */
  readonly id: string;
  /** `null`: whatever is there. */
  readonly expectedVersion: number | null;
}

/** The use cases of `/api/teams`, `/api/users`, `/api/apps` and `/api/tags`. */
export class OwnerAdmin {
  #owners = OwnerIndex.empty;

  constructor(
    private readonly writer: RegistryWriter,
    private readonly feed: RegistryFeed,
    private readonly declared: Declared,
    private readonly clock: Clock,
  ) {}

  async create(
    { orgId, kind, name }: { readonly orgId: string; readonly kind: OwnerKind; readonly name: string },
    settings: OwnerSettings,
    origin: AuditOrigin,
  ): Promise<OwnerView> {
    if (this.feed.current().count(kind) >= MAX_OWNERS) {
      throw new AppError('conflict', { text: `There are ${MAX_OWNERS} already.` });
    }
    const uniqueName = uniqueOwnerName(name);
    if (this.ofFile(kind).some((owner) => uniqueOwnerName(owner.name) === uniqueName)) {
      throw new AppError('conflict', { text: 'The configuration file declares one of that name.' });
    }
    this.refuseOverload({ orgId, kind, name }, [], settings.budgets); // keys may name it already
    const body: OwnerBody = { ...settings };
    const document = await this.writer.create(
      { orgId, kind, id: newId(kind) },
      { name, uniqueName, body },
      audited(`${kind}.create`, origin),
    );
    return viewOfOwner(document);
  }

  /** Newest first, those of the file before all others. A document that the file's declaration hides is not shown. */
  list(orgId: string, kind: OwnerKind, limit: number, cursor: string | undefined): Page<OwnerView> {
    const page = pageById(this.listed(orgId, kind), limit, cursor, kind);
    return { items: page.items.map((one) => ('body' in one ? viewOfOwner(one) : one)), nextCursor: page.nextCursor };
  }

  get(orgId: string, kind: OwnerKind, id: string): OwnerView {
    for (const one of this.listed(orgId, kind)) {
      if (one.id === id || one.name === id) return 'body' in one ? viewOfOwner(one) : one;
    }
    throw noSuch(kind);
  }

  /** Changes what is given in `changes`. @throws AppError `conflict` when its keys would have too many hard budgets */
  async update(ref: OwnerRef, changes: Partial<OwnerSettings>, origin: AuditOrigin): Promise<OwnerView> {
    this.refuseFileOwned(ref);
    const [document] = await this.writer.changeAll(async (look) => {
      const owner = await this.read(look, ref);
      const { id } = owner;
      if (changes.budgets !== undefined) {
        this.refuseOverload({ ...ref, name: owner.name }, ownerBody(owner).budgets, changes.budgets);
      }
      return [
        {
          op: 'update',
          ref: { orgId: ref.orgId, kind: ref.kind, id },
          expectedVersion: ref.expectedVersion,
          decide: (current) => ({ name: current.name, body: { ...ownerBody(current), ...changes } }),
          audit: audited(`${ref.kind}.update`, origin),
        },
      ];
    });
    return viewOfOwner(document as RegistryDocument);
  }

  /**
   * Deletes an owner. Refused while keys name it, since they would go on without its budgets and limits; with `cascade` they
   * are blocked in the same step. A tag without a hard budget is only counted under: it can always go.
   * @returns how many keys were blocked, and the registry version that holds all of it
   */
  async remove(
    ref: OwnerRef,
    cascade: boolean,
    origin: AuditOrigin,
  ): Promise<{ readonly blocked: number; readonly version: number }> {
    this.refuseFileOwned(ref);
    let blocked = 0;
    const documents = await this.writer.changeAll(async (look) => {
      const owner = await this.read(look, ref);
      const blocking = await this.blocking(look, owner, cascade, origin);
      blocked = blocking.length;
      const removal: DocumentChange = {
        op: 'remove',
        ref: { orgId: ref.orgId, kind: ref.kind, id: owner.id },
        expectedVersion: ref.expectedVersion,
        audit: audited(`${ref.kind}.delete`, origin),
      };
      return [removal, ...blocking];
    });
    return { blocked, version: Math.max(...documents.map(({ version }) => version)) };
  }

  /** The changes that stop the keys of an owner. @throws AppError `conflict`, `file_owned` */
  private async blocking(
    look: RegistryLook,
    owner: RegistryDocument,
    cascade: boolean,
    origin: AuditOrigin,
  ): Promise<readonly DocumentChange[]> {
    const { orgId, name, kind } = owner;
    if (kind === 'tag' && countHard(ownerBody(owner).budgets) === 0) return [];
    const belongs = belongsTo(orgId, kind as OwnerKind, name);
    const ofFile = this.declared().keys.filter((key) => belongs({ ...key, orgId: DEFAULT_ORG_ID })).length;
    const working = await this.workingKeys(look, owner);
    const count = working.length + ofFile;
    if (count > 0 && !cascade) {
      throw new AppError('conflict', {
        text: `${counted(count)} this ${kind}: give them another, revoke them, or block them with ?cascade=block.`,
      });
    }
    if (ofFile > 0) {
      throw new AppError('file_owned', {
        text: `${counted(ofFile)} this ${kind} in the configuration file: change it there first.`,
      });
    }
    if (count > MOST_CASCADED) {
      throw new AppError('conflict', {
        text: `${counted(count)} this ${kind}; at most ${MOST_CASCADED} can be blocked with it.`,
      });
    }
    const nowMs = this.clock.now();
    return working.map(({ id }) =>
      block({ orgId, id, expectedVersion: null, origin }, `The ${kind} "${name}" was deleted.`, nowMs),
    );
  }

  /** Keys that are not revoked. Of a tag those this replica knows: a key needs no document of its tags in any case. */
  private async workingKeys(
    look: RegistryLook,
    { orgId, name, kind }: RegistryDocument,
  ): Promise<readonly Pick<RegistryDocument, 'id'>[]> {
    if (kind !== 'tag') return look.holding(orgId, 'key', { [kind]: name, revokedAtMs: null }, MOST_CASCADED * 10);
    return [...this.feed.current().all('key')].filter((document) => {
      const { tags, revokedAtMs } = keyBody(document);
      return document.orgId === orgId && revokedAtMs === null && tags.includes(name);
    });
  }

  /** @throws AppError `conflict` when keys of the owner would have more hard budgets than a call can be charged to */
  private refuseOverload(
    { orgId, kind, name }: { readonly orgId: string; readonly kind: OwnerKind; readonly name: string },
    before: OwnerBody['budgets'],
    after: OwnerBody['budgets'],
  ): void {
    const registry = this.feed.current();
    const declared = this.declared();
    this.#owners = this.#owners.at(registry, declared);
    const keys = livingKeys(registry, declared.keys);
    refuseTooManyBudgets(keys, this.#owners, { concerns: belongsTo(orgId, kind, name), before, after });
  }

  private async read(look: RegistryLook, { orgId, kind, id }: OwnerRef): Promise<RegistryDocument> {
    const byId = await look.get({ orgId, kind, id });
    if (byId !== null) return byId;
    const byName = await look.named(orgId, kind, [uniqueOwnerName(id)]);
    const found = byName.find((document) => document.name === id);
    if (found === undefined) throw noSuch(kind);
    return found;
  }

  private *listed(orgId: string, kind: OwnerKind): Iterable<OwnerView | RegistryDocument> {
    const declared = new Set<string>();
    for (const owner of this.ofFile(kind)) {
      declared.add(owner.name);
      yield viewOfFileOwner(kind, owner);
    }
    for (const document of this.feed.current().all(kind)) {
      if (document.orgId === orgId && !declared.has(document.name)) yield document;
    }
  }

  private ofFile(kind: OwnerKind): readonly FileOwnerConfig[] {
    return fileOwnersOf(this.declared(), kind);
  }

  private refuseFileOwned({ kind, id }: OwnerRef): void {
    if (this.ofFile(kind).some(({ name }) => name === id || fileOwnerId(kind, name) === id)) {
      throw new AppError('file_owned');
    }
  }
}

type Belonging = Pick<NamedKey, 'orgId' | 'team' | 'user' | 'app' | 'tags'>;

function belongsTo(orgId: string, kind: OwnerKind, name: string): (key: Belonging) => boolean {
  return (key) => key.orgId === orgId && (kind === 'tag' ? key.tags.includes(name) : key[kind] === name);
}

function counted(keys: number): string {
  return keys === 1 ? 'One key belongs to' : `${keys} keys belong to`;
}

function noSuch(kind: OwnerKind): AppError {
  return new AppError('not_found', { text: `There is no such ${kind}.` });
}

function audited(action: string, origin: AuditOrigin): AuditedChange {
  return { action, origin, view: auditOwner };
}
