import type { KeyObject } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Clock } from '#libs/platform/clock.js';
import { newId } from '#libs/platform/ids.js';
import type { Secret } from '#libs/platform/secret.js';
import { digestOf, isWellFormed, makeCredential } from '../credential.js';
import type { TokenRole } from '../token-document.js';

const PREFIX = 'sf_admin_session_';
const IDLE_S = 30 * 60;
const TOTAL_MS = 12 * 3_600_000;

/** A browser's session. */
export interface AdminSession {
  readonly id: string;
  readonly orgId: string;
  readonly role: TokenRole;
  readonly name: string;
  readonly endsAtMs: number;
}

/**
 * Console sessions (IAM-4) in Redis, under the digest of what the cookie holds: 30 minutes without use or 12 hours in all.
 * Losing Redis signs everybody out, nothing worse. Methods reject when Redis does not answer.
 */
export class AdminSessions {
  constructor(
    private readonly redis: Redis,
    private readonly pepper: KeyObject,
    private readonly clock: Clock,
  ) {}

  /** Opens a session and answers what the cookie shall hold. */
  async open(who: { readonly orgId: string; readonly role: TokenRole; readonly name: string }): Promise<Secret> {
    const { secret } = makeCredential(PREFIX);
    const session: AdminSession = { id: newId('sess'), ...who, endsAtMs: this.clock.now() + TOTAL_MS };
    await this.redis.set(this.key(secret.reveal()), JSON.stringify(session), 'EX', IDLE_S);
    return secret;
  }

  /** The session of a cookie, whose idle time begins anew; `null` when there is none (any more). */
  async find(cookie: string): Promise<AdminSession | null> {
    if (!isWellFormed(PREFIX, cookie)) return null;
    const key = this.key(cookie);
    const text = await this.redis.getex(key, 'EX', IDLE_S);
    if (text === null) return null;
    const session = JSON.parse(text) as AdminSession;
    if (session.endsAtMs > this.clock.now()) return session;
    await this.redis.del(key);
    return null;
  }

  async close(cookie: string): Promise<void> {
    if (isWellFormed(PREFIX, cookie)) await this.redis.del(this.key(cookie));
  }

  private key(cookie: string): string {
    return `sf:admin-session:${digestOf(this.pepper, cookie)}`;
  }
}
