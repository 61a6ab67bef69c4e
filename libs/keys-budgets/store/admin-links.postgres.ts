import type { KeyObject } from 'node:crypto';
import type { DataSource } from 'typeorm';
import type { Clock } from '#libs/platform/clock.js';
import type { Secret } from '#libs/platform/secret.js';
import { answered, appendAudit, type AuditOrigin } from '#libs/registry/index.js';
import { digestOf, isWellFormed, makeCredential } from '../credential.js';

const PREFIX = 'sf_admin_link_';
const LIFE_MS = 30 * 60_000;

/**
 * One-time admin links (IAM-4). They live in PostgreSQL, not in Redis: a store restored from a snapshot must not bring a used
 * link back. Only digests are kept.
 */
export class AdminLinks {
  constructor(
    private readonly source: DataSource,
    private readonly pepper: KeyObject,
    private readonly clock: Clock,
  ) {}

  /** A new link's token, good for 30 minutes and one use. Forgets links that expired a day ago. */
  async make(orgId: string): Promise<Secret> {
    const { secret } = makeCredential(PREFIX);
    const now = this.clock.now();
    await this.source.query(`DELETE FROM admin_links WHERE expires_at < $1`, [new Date(now - 86_400_000)]);
    await this.source.query(`INSERT INTO admin_links (digest, org_id, expires_at) VALUES ($1, $2, $3)`, [
      this.digest(secret.reveal()),
      orgId,
      new Date(now + LIFE_MS),
    ]);
    return secret;
  }

  /** Uses a link up; `null` when there is none, it was used or it has expired. Of two who race, one gets it. On the record. */
  async consume(token: string, origin: AuditOrigin): Promise<{ readonly orgId: string } | null> {
    if (!isWellFormed(PREFIX, token)) return null;
    return answered(() => this.use(token, origin));
  }

  private use(token: string, origin: AuditOrigin): Promise<{ readonly orgId: string } | null> {
    return this.source.transaction(async (sql) => {
      const now = this.clock.now();
      const [rows] = (await sql.query(
        `UPDATE admin_links SET consumed_at = $2
         WHERE digest = $1 AND consumed_at IS NULL AND expires_at > $2 RETURNING org_id`,
        [this.digest(token), new Date(now)],
      )) as [{ org_id: string }[], number];
      const orgId = rows[0]?.org_id;
      if (orgId === undefined) return null;
      await appendAudit(
        sql,
        {
          orgId,
          action: 'admin_link.use',
          objectKind: 'admin_link',
          objectId: token.slice(PREFIX.length, PREFIX.length + 8),
          objectName: 'one-time admin link',
          version: null,
          before: null,
          after: null,
          origin,
        },
        now,
      );
      return { orgId };
    });
  }

  private digest(token: string): Buffer {
    return Buffer.from(digestOf(this.pepper, token), 'base64url');
  }
}
