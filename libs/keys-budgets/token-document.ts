import type { DocumentBody, RegistryDocument } from '#libs/registry/index.js';

/** Roles an API token can have; the same as `Role` of `libs/http`, which rules do not know. */
export type TokenRole = 'proxy_admin' | 'proxy_admin_viewer';

/** What the registry keeps of an API token. The secret itself is nowhere. */
export interface TokenBody extends DocumentBody {
  readonly publicId: string;
  readonly digest: string;
  readonly role: TokenRole;
  readonly expiresAtMs: number | null;
  readonly revokedAtMs: number | null;
}

/** The document's body; only this library writes documents of kind `api_token`. */
export function tokenBody(document: RegistryDocument): TokenBody {
  return document.body as TokenBody;
}

/** A token as the audit log shows it. */
export function auditToken(document: RegistryDocument): unknown {
  const { digest: _digest, ...shown } = tokenBody(document);
  return { name: document.name, ...shown };
}
