import type { KeyObject } from 'node:crypto';
import { AppError } from '#libs/platform/errors.js';
import type { RegistryFeed, RegistryState } from '#libs/registry/index.js';
import { digestOf, isWellFormed } from './credential.js';
import { tokenBody, type TokenRole } from './token-document.js';

/** An API token that may be used now. */
export interface TokenRecord {
  readonly id: string;
  readonly name: string;
  readonly orgId: string;
  readonly role: TokenRole;
}

interface Entry extends TokenRecord {
  readonly expiresAtMs: number | null;
}

/** Finds API tokens in the registry this replica runs on; no I/O. */
export class TokenIndex {
  private state: RegistryState | null = null;
  private byDigest: ReadonlyMap<string, Entry> = new Map();

  constructor(
    private readonly feed: RegistryFeed,
    private readonly pepper: KeyObject,
  ) {}

  /**
   * The living token with exactly this text; `null` when it is unknown, revoked or expired at `nowMs`.
   * @throws AppError `store_unavailable` when no store has confirmed the registry for longer than its grace: a token might
   * have been revoked since
   */
  find(presented: string, nowMs: number): TokenRecord | null {
    if (!isWellFormed('sf_admin_', presented)) return null;
    if (this.feed.health().blind) throw new AppError('store_unavailable');
    const found = this.tokens().get(digestOf(this.pepper, presented));
    if (found === undefined || (found.expiresAtMs !== null && found.expiresAtMs <= nowMs)) return null;
    return found;
  }

  private tokens(): ReadonlyMap<string, Entry> {
    const state = this.feed.current();
    if (this.state === null || !state.sameKind(this.state, 'api_token')) {
      const byDigest = new Map<string, Entry>();
      for (const { id, name, orgId, ...document } of state.all('api_token')) {
        const { digest, role, expiresAtMs, revokedAtMs } = document.body as ReturnType<typeof tokenBody>;
        if (revokedAtMs === null) byDigest.set(digest, { id, name, orgId, role, expiresAtMs });
      }
      this.byDigest = byDigest;
    }
    this.state = state;
    return this.byDigest;
  }
}
