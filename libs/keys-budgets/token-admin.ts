import type { KeyObject } from 'node:crypto';
import { pageById, type Page } from '#libs/http/index.js';
import type { Clock } from '#libs/platform/clock.js';
import { AppError } from '#libs/platform/errors.js';
import { newId } from '#libs/platform/ids.js';
import type { Secret } from '#libs/platform/secret.js';
import type { AuditOrigin, RegistryDocument, RegistryFeed, RegistryWriter } from '#libs/registry/index.js';
import { digestOf, makeCredential } from './credential.js';
import { auditToken, tokenBody, type TokenBody, type TokenRole } from './token-document.js';

/** An API token as the API shows it. */
export interface TokenView {
  readonly id: string;
  readonly name: string;
  readonly role: TokenRole;
  readonly hint: string;
  readonly status: 'active' | 'expired' | 'revoked';
  readonly expiresAtMs: number | null;
  readonly createdAtMs: number;
  readonly revokedAtMs: number | null;
  readonly version: number;
}

const MAX_TOKENS = 10_000;

/** The use cases of `/api/tokens` (CFG-3). */
export class TokenAdmin {
  constructor(
    private readonly writer: RegistryWriter,
    private readonly feed: RegistryFeed,
    private readonly pepper: KeyObject,
    private readonly clock: Clock,
  ) {}

  /** Makes a token. The secret is in the answer and nowhere else. */
  async create(
    orgId: string,
    wish: { readonly name: string; readonly role: TokenRole; readonly expiresAtMs: number | null },
    origin: AuditOrigin,
  ): Promise<{ view: TokenView; secret: Secret }> {
    if (this.feed.current().count('api_token') >= MAX_TOKENS) {
      throw new AppError('conflict', { text: `There are ${MAX_TOKENS} tokens already.` });
    }
    const { secret, body } = newToken(this.pepper, wish.role, wish.expiresAtMs);
    const document = await this.writer.create(
      { orgId, kind: 'api_token', id: newId('tok') },
      { name: wish.name, body },
      { action: 'token.create', origin, view: auditToken },
    );
    return { view: this.view(document), secret };
  }

  /** Newest first, revoked ones included. */
  list(orgId: string, limit: number, cursor: string | undefined): Page<TokenView> {
    const documents = [...this.feed.current().all('api_token')].filter((document) => document.orgId === orgId);
    const page = pageById(documents, limit, cursor, 'tok');
    return { items: page.items.map((document) => this.view(document)), nextCursor: page.nextCursor };
  }

  get(orgId: string, id: string): TokenView {
    const document = this.feed.current().get(orgId, 'api_token', id);
    if (document === null) throw new AppError('not_found', { text: 'There is no such token.' });
    return this.view(document);
  }

  /** Ends a token for good; it stays listed. Revoking a revoked one changes nothing. */
  async revoke(orgId: string, id: string, origin: AuditOrigin): Promise<TokenView> {
    const document = await this.writer.update(
      { orgId, kind: 'api_token', id },
      null,
      (current) => {
        const body = tokenBody(current);
        if (body.revokedAtMs !== null) return current;
        return { name: current.name, body: { ...body, revokedAtMs: this.clock.now() } };
      },
      { action: 'token.revoke', origin, view: auditToken },
    );
    return this.view(document);
  }

  private view(document: RegistryDocument): TokenView {
    const { role, publicId, expiresAtMs, revokedAtMs } = tokenBody(document);
    const expired = expiresAtMs !== null && expiresAtMs <= this.clock.now();
    return {
      id: document.id,
      name: document.name,
      role,
      hint: `sf_admin_${publicId}`,
      status: revokedAtMs !== null ? 'revoked' : expired ? 'expired' : 'active',
      expiresAtMs,
      createdAtMs: document.createdAtMs,
      revokedAtMs,
      version: document.version,
    };
  }
}

/** A new token's secret and what is kept of it. */
export function newToken(
  pepper: KeyObject,
  role: TokenRole,
  expiresAtMs: number | null,
): { secret: Secret; body: TokenBody } {
  const { secret, publicId } = makeCredential('sf_admin_');
  return {
    secret,
    body: { publicId, digest: digestOf(pepper, secret.reveal()), role, expiresAtMs, revokedAtMs: null },
  };
}
