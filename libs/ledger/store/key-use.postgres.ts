import type { DataSource } from 'typeorm';
import type { KeyStamp, KeyStampStore } from '../key-use.js';

const RAISE = `
  INSERT INTO key_use (org_id, key_id, last_used_at)
  SELECT org_id, key_id, last_used_at
  FROM json_to_recordset($1::json) AS stamp (org_id text, key_id text, last_used_at timestamptz)
  ORDER BY 1, 2
  ON CONFLICT (org_id, key_id) DO UPDATE SET last_used_at = excluded.last_used_at
  WHERE key_use.last_used_at < excluded.last_used_at - make_interval(secs => $2)`;

/** Last use and spending of keys in PostgreSQL (migrations 0007 and 0009). */
export class PostgresKeyUse implements KeyStampStore {
  readonly #source: DataSource;

  constructor(source: DataSource) {
    this.#source = source;
  }

  async raise(stamps: readonly KeyStamp[], atLeastMs: number): Promise<void> {
    const rows = stamps.map(({ orgId, keyId, atMs }) => ({
      org_id: orgId,
      key_id: keyId,
      last_used_at: new Date(atMs).toISOString(),
    }));
    await this.#source.query(RAISE, [JSON.stringify(rows), atLeastMs / 1000]);
  }

  /** When keys were last used, to the minute; keys that never were are missing. */
  async lastUsed(orgId: string, keyIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const rows = (await this.#source.query(
      `SELECT key_id, last_used_at FROM key_use WHERE org_id = $1 AND key_id = ANY($2)`,
      [orgId, keyIds],
    )) as { key_id: string; last_used_at: Date }[];
    return new Map(rows.map((row) => [row.key_id, row.last_used_at.getTime()]));
  }

  /** What the calls of keys cost in all, corrections included, by the roll-ups; keys without calls are missing. */
  async spent(orgId: string, keyIds: readonly string[]): Promise<ReadonlyMap<string, bigint>> {
    const rows = (await this.#source.query(
      `SELECT d.key_id, sum(r.cost_nanos)::text AS nanos
       FROM usage_dimensions d JOIN usage_rollups r ON r.dimension_id = d.id AND r.org_id = d.org_id
       WHERE d.org_id = $1 AND d.key_id = ANY($2) GROUP BY 1`,
      [orgId, keyIds],
    )) as { key_id: string; nanos: string }[];
    return new Map(rows.map((row) => [row.key_id, BigInt(row.nanos)]));
  }
}
