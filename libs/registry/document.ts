/** The organisation that everything belongs to until there are more. */
export const DEFAULT_ORG_ID = 'org_default';

/** Kinds of documents the registry keeps. Later parts add theirs here. */
export type DocumentKind =
  'key' | 'api_token' | 'org' | 'team' | 'user' | 'app' | 'tag' | 'webhook' | 'price' | 'chain';

/** A JSON object, never changed after it was read. */
export type DocumentBody = Readonly<Record<string, unknown>>;

/** One entry of the registry. Immutable: a change makes a new one with a higher version. */
export interface RegistryDocument {
  readonly orgId: string;
  readonly kind: DocumentKind;
  readonly id: string;
  readonly name: string;
  /** The registry version that wrote it; used for optimistic locking. */
  readonly version: number;
  readonly body: DocumentBody;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export interface DocumentRef {
  readonly orgId: string;
  readonly kind: DocumentKind;
  readonly id: string;
}

/** Which registry, and how far it has come. Versions only go up within a lineage. */
export interface RegistryHead {
  readonly lineage: string;
  readonly version: number;
}

/** What lies between two versions: documents to set, documents gone. `full`: everything there is, forget the rest. */
export interface RegistryDelta {
  readonly head: RegistryHead;
  readonly full: boolean;
  readonly documents: readonly RegistryDocument[];
  readonly removed: readonly DocumentRef[];
}

/** `org/kind/id`: neither organisation nor kind contains a slash. */
export function documentPath(ref: DocumentRef): string {
  return `${ref.orgId}/${ref.kind}/${ref.id}`;
}

export function parseDocumentPath(path: string): DocumentRef {
  const first = path.indexOf('/');
  const second = path.indexOf('/', first + 1);
  return {
    orgId: path.slice(0, first),
    kind: path.slice(first + 1, second) as DocumentKind,
    id: path.slice(second + 1),
  };
}
