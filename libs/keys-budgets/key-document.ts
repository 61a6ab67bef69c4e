import type { DocumentBody, RegistryDocument } from '#libs/registry/index.js';

/** What the registry keeps of a virtual key. The secret itself is nowhere. */
export interface KeyBody extends DocumentBody {
  readonly publicId: string;
  /** `digestOf` the whole key. */
  readonly digest: string;
  readonly team: string | null;
  readonly user?: string | null;
  readonly app?: string | null;
  readonly models: readonly string[];
  readonly routes: readonly string[];
  readonly tags: readonly string[];
  readonly expiresAtMs: number | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly revokedAtMs: number | null;
}

/** The document's body; only this library writes documents of kind `key`. */
export function keyBody(document: RegistryDocument): KeyBody {
  return document.body as KeyBody;
}

/** A key as the audit log shows it. */
export function auditKey(document: RegistryDocument): unknown {
  const { digest: _digest, ...shown } = keyBody(document);
  return { name: document.name, ...shown };
}
