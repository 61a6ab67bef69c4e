import {
  documentPath,
  type DocumentKind,
  type RegistryDelta,
  type RegistryDocument,
  type RegistryHead,
} from './document.js';

type Documents = ReadonlyMap<string, RegistryDocument>;

const NONE: Documents = new Map();

/**
 * The whole registry at one version, immutable. Applying a delta copies only the kinds it touches, so untouched documents
 * and maps keep their identity and compiled forms can be kept by them.
 */
export class RegistryState {
  static readonly empty = new RegistryState({ lineage: '', version: -1 }, new Map());

  private constructor(
    readonly head: RegistryHead,
    private readonly kinds: ReadonlyMap<DocumentKind, Documents>,
  ) {}

  get version(): number {
    return this.head.version;
  }

  /** All documents of a kind, of every organisation. */
  all(kind: DocumentKind): Iterable<RegistryDocument> {
    return (this.kinds.get(kind) ?? NONE).values();
  }

  count(kind: DocumentKind): number {
    return this.kinds.get(kind)?.size ?? 0;
  }

  get(orgId: string, kind: DocumentKind, id: string): RegistryDocument | null {
    return this.kinds.get(kind)?.get(documentPath({ orgId, kind, id })) ?? null;
  }

  /** True when both states hold the same documents of a kind, so that nothing made from them is stale. */
  sameKind(other: RegistryState, kind: DocumentKind): boolean {
    return (this.kinds.get(kind) ?? NONE) === (other.kinds.get(kind) ?? NONE);
  }

  /** The state after a delta. Of a document in both, the higher version stays (a full read may overlap later changes). */
  apply(delta: RegistryDelta): RegistryState {
    const kinds = new Map<DocumentKind, Documents>(delta.full ? [] : this.kinds);
    const touched = new Map<DocumentKind, Map<string, RegistryDocument>>();
    const own = (kind: DocumentKind): Map<string, RegistryDocument> => {
      let map = touched.get(kind);
      if (map === undefined) {
        map = new Map(kinds.get(kind) ?? NONE);
        touched.set(kind, map);
        kinds.set(kind, map);
      }
      return map;
    };
    for (const document of delta.documents) {
      const map = own(document.kind);
      const path = documentPath(document);
      const present = map.get(path);
      if (present === undefined || present.version < document.version) map.set(path, document);
    }
    for (const ref of delta.removed) own(ref.kind).delete(documentPath(ref));
    return new RegistryState(delta.head, kinds);
  }
}
