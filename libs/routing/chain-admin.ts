import {
  parseChain,
  writeChain,
  type ChainConfig,
  type ChainSettings,
  type ChainSurroundings,
} from '#libs/platform/config.js';
import { AppError } from '#libs/platform/errors.js';
import { newId } from '#libs/platform/ids.js';
import type {
  AuditedChange,
  AuditOrigin,
  DocumentChange,
  RegistryDocument,
  RegistryFeed,
  RegistryLook,
  RegistryWriter,
} from '#libs/registry/index.js';
import { auditChain, chainBody, fileChainId, uniqueChainName, type ChainBody } from './chain-document.js';
import type { ModelIndex } from './model-index.js';
import { pageByName, type Page } from './page-by-name.js';

/** A chain as the API shows it. */
export interface ChainView extends ChainConfig {
  readonly id: string;
  readonly source: 'api' | 'file';
  /** For `If-Match`; 0 for chains of the file. */
  readonly version: number;
  readonly createdAtMs: number | null;
  readonly updatedAtMs: number | null;
  /** What has come to be wrong with it since it was saved: a provider or model it names is gone, or its name is taken. */
  readonly faults: readonly { readonly path: string; readonly message: string }[];
}

/** Which chain, as its caller last saw it. */
export interface ChainRef {
  readonly orgId: string;
  /** Its id or its name. */
  readonly id: string;
  /** `null`: whatever is there. */
  readonly expectedVersion: number | null;
}

/** What else the use cases look at, asked anew each time. */
export interface ChainNeighbours {
  fileChains(): readonly ChainConfig[];
  models(): ModelIndex;
}

/** A chain as it is written, the parts that are given. */
export type WrittenParts = Readonly<Record<string, unknown>>;

/** All chains of an organisation are held in memory by every replica; beyond this many, creation is refused. */
const MAX_CHAINS = 2_000;

/** The use cases of `/api/routing/fallback-chains` (RTE-1). Reads come from this replica's snapshot, changes go to the registry. */
export class ChainAdmin {
  constructor(
    private readonly writer: RegistryWriter,
    private readonly feed: RegistryFeed,
    private readonly neighbours: ChainNeighbours,
  ) {}

  /** @throws AppError `invalid_request` naming every field at fault, `conflict` when the name is taken */
  async create(orgId: string, name: string, written: WrittenParts, origin: AuditOrigin): Promise<ChainView> {
    if (this.feed.current().count('chain') >= MAX_CHAINS) {
      throw new AppError('conflict', { text: `There are ${MAX_CHAINS} chains already.` });
    }
    const uniqueName = uniqueChainName(name);
    const ref = { orgId, kind: 'chain', id: newId('chain') } as const;
    return this.change(orgId, (documents) => {
      const { name: _name, ...body } = this.checked(documents, name, written);
      if (this.neighbours.fileChains().some((chain) => uniqueChainName(chain.name) === uniqueName)) {
        const text = 'The configuration file declares a chain of that name.';
        throw new AppError('conflict', { text, param: 'name' });
      }
      if (documents.some((document) => uniqueChainName(document.name) === uniqueName)) {
        throw new AppError('conflict', { text: 'There is a chain of that name already.', param: 'name' });
      }
      const content = { name, uniqueName, body: { ...body } };
      return { op: 'create', ref, content, audit: audited('chain.create', origin) };
    });
  }

  /** By name. A document that a chain of the file hides is not shown. */
  list(orgId: string, limit: number, cursor: string | undefined): Page<ChainView> {
    const page = pageByName(this.entries(this.documents(orgId)), limit, cursor);
    const around = this.surroundings(this.documents(orgId));
    return { items: page.items.map((one) => viewOf(one, around)), nextCursor: page.nextCursor };
  }

  get(orgId: string, id: string): ChainView {
    const found = this.entries(this.documents(orgId)).find((one) => isNamed(one, id));
    if (found === undefined) throw noSuch();
    return viewOf(found, this.surroundings(this.documents(orgId)));
  }

  /**
   * Replaces a chain, or with `isPartial` the parts of it that are given. Its name stays: models, keys and other chains refer
   * to it. @throws AppError as `create`, and `file_owned`, `not_found`
   */
  async update(ref: ChainRef, written: WrittenParts, isPartial: boolean, origin: AuditOrigin): Promise<ChainView> {
    return this.change(ref.orgId, (documents) => {
      const found = this.changeable(documents, ref);
      const { name, ...parts } = written;
      if (name !== undefined && name !== found.name) {
        const message = 'cannot be changed: make a new chain and delete this one';
        throw new AppError('invalid_request', { text: `The name ${message}.`, faults: [{ path: 'name', message }] });
      }
      return {
        op: 'update',
        ref: { orgId: ref.orgId, kind: 'chain', id: found.id },
        expectedVersion: ref.expectedVersion,
        decide: (current) => {
          const whole = isPartial ? patched(writeChain(chainBody(current)), parts) : parts;
          const { name: _name, ...body } = this.checked(documents, current.name, whole);
          return { name: current.name, body: { ...body } };
        },
        audit: audited('chain.update', origin),
      };
    });
  }

  /** Refused while another chain has it as a target, or a key or team of the API names it. */
  async remove(ref: ChainRef, origin: AuditOrigin): Promise<void> {
    await this.writer.changeAll(async (look) => {
      const documents = await chainsIn(look, ref.orgId);
      const { id, name } = this.changeable(documents, ref);
      const users = [...this.neighbours.fileChains(), ...documents.map(configOf)]
        .filter((chain) => chain.name !== name && targetsOf(chain).includes(name))
        .map((chain) => `"${chain.name}"`);
      if (users.length > 0) {
        throw new AppError('conflict', { text: `It is a target of the chain ${users.slice(0, 10).join(', ')}.` });
      }
      await refuseAttached(look, ref.orgId, name);
      const audit = audited('chain.delete', origin);
      const { orgId, expectedVersion } = ref;
      return [{ op: 'remove', ref: { orgId, kind: 'chain', id }, expectedVersion, audit }];
    });
  }

  /** Changes one chain, by all of its organisation as they stand: no other change comes between the look and this one. */
  private async change(
    orgId: string,
    decide: (documents: readonly RegistryDocument[]) => DocumentChange,
  ): Promise<ChainView> {
    const [document] = await this.writer.changeAll(async (look) => [decide(await chainsIn(look, orgId))]);
    return viewOf(document as RegistryDocument, this.surroundings(this.documents(orgId)));
  }

  private changeable(documents: readonly RegistryDocument[], { id }: ChainRef): RegistryDocument {
    if (this.neighbours.fileChains().some((chain) => chain.name === id || fileChainId(chain.name) === id)) {
      throw new AppError('file_owned');
    }
    const found = documents.find((document) => isNamed(document, id));
    if (found === undefined) throw noSuch();
    return found;
  }

  private checked(documents: readonly RegistryDocument[], name: string, written: WrittenParts): ChainConfig {
    const parsed = parseChain(name, written, this.surroundings(documents));
    if (parsed.ok) return parsed.chain;
    throw invalid(parsed.faults);
  }

  private surroundings(documents: readonly RegistryDocument[]): ChainSurroundings {
    const models = this.neighbours.models();
    const byName = new Map(this.entries(documents).map((one) => [one.name, one]));
    return {
      isModel: (name) => models.resolve(name) !== null,
      whyNoModel: (name) => whyNoModel(name),
      chainNamed: (name) => {
        const found = byName.get(name);
        return found === undefined ? undefined : writeChain(configOf(found));
      },
    };
  }

  /** Those of the file, and the documents that they do not hide. */
  private entries(documents: readonly RegistryDocument[]): readonly (ChainConfig | RegistryDocument)[] {
    const file = this.neighbours.fileChains();
    const declared = new Set(file.map(({ name }) => uniqueChainName(name)));
    return [...file, ...documents.filter(({ name }) => !declared.has(uniqueChainName(name)))];
  }

  private documents(orgId: string): readonly RegistryDocument[] {
    return [...this.feed.current().all('chain')].filter((document) => document.orgId === orgId);
  }
}

function chainsIn(look: RegistryLook, orgId: string): Promise<readonly RegistryDocument[]> {
  return look.holding(orgId, 'chain', {}, MAX_CHAINS * 2);
}

/** @throws AppError `conflict` while it stands behind a key that is not revoked, or a team */
async function refuseAttached(look: RegistryLook, orgId: string, chain: string): Promise<void> {
  const keys = await look.holding(orgId, 'key', { chain, revokedAtMs: null }, 10);
  const teams = await look.holding(orgId, 'team', { chain }, 10);
  const users = [...keys, ...teams].map(({ kind, name }) => `the ${kind} "${name}"`);
  if (users.length > 0) throw new AppError('conflict', { text: `It stands behind ${users.join(', ')}.` });
}

function viewOf(one: ChainConfig | RegistryDocument, around: ChainSurroundings): ChainView {
  const chain = configOf(one);
  const parsed = parseChain(chain.name, writeChain(chain), around);
  const faults = parsed.ok ? [] : parsed.faults;
  if ('body' in one) {
    const { id, version, createdAtMs, updatedAtMs } = one;
    return { ...chain, id, source: 'api', version, createdAtMs, updatedAtMs, faults };
  }
  return {
    ...chain,
    id: fileChainId(one.name),
    source: 'file',
    version: 0,
    createdAtMs: null,
    updatedAtMs: null,
    faults,
  };
}

/** `null` takes a part away. */
function patched(current: WrittenParts, parts: WrittenParts): WrittenParts {
  return Object.fromEntries(Object.entries({ ...current, ...parts }).filter(([, part]) => part !== null));
}

function configOf(one: ChainConfig | RegistryDocument): ChainConfig {
  if (!('body' in one)) return one;
  const body: ChainBody = chainBody(one);
  return { ...body, name: one.name };
}

function isNamed(one: ChainConfig | RegistryDocument, id: string): boolean {
  return one.name === id || ('body' in one ? one.id : fileChainId(one.name)) === id;
}

function targetsOf(chain: ChainSettings): readonly string[] {
  return chain.steps.flatMap((step) => step.targets.map(({ model }) => model));
}

function whyNoModel(name: string): string {
  const slash = name.indexOf('/');
  if (slash > 0 && slash === name.length - 1) return `names no model behind "${name}"`;
  return slash > 0
    ? `names the provider "${name.slice(0, slash)}", which is not declared`
    : 'is neither a model that can be reached nor a chain';
}

function invalid(faults: readonly { readonly path: string; readonly message: string }[]): AppError {
  const text = faults
    .slice(0, 3)
    .map(({ path, message }) => `${path} ${message}`)
    .join('; ');
  return new AppError('invalid_request', {
    text: `The chain is invalid: ${text}${faults.length > 3 ? '; …' : ''}.`,
    faults: faults.slice(0, 50),
  });
}

function noSuch(): AppError {
  return new AppError('not_found', { text: 'There is no such chain.' });
}

function audited(action: string, origin: AuditOrigin): AuditedChange {
  return { action, origin, view: auditChain };
}
