import { randomBytes } from 'node:crypto';
import type { DataSource } from 'typeorm';

/**
 * The cluster's secret of that name: 32 random bytes, made by the first instance that asks and equal for all that share
 * the database (pepper of key digests, cookie signing and the like). An advisory lock makes racing first askers agree.
 * `name` is a constant of the caller, such as `key-pepper`.
 */
export async function clusterSecret(source: DataSource, name: string): Promise<Buffer> {
  return source.transaction(async (sql) => {
    const known = await readSecret(sql, name);
    if (known !== null) return known;
    await sql.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [`smartflow:cluster-secret:${name}`]);
    await sql.query(`INSERT INTO cluster_secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, [
      name,
      randomBytes(32),
    ]);
    const made = await readSecret(sql, name);
    if (made === null) throw new Error(`the cluster secret ${name} could not be stored`);
    return made;
  });
}

async function readSecret(
  sql: { query(text: string, values: unknown[]): Promise<unknown> },
  name: string,
): Promise<Buffer | null> {
  const rows = (await sql.query(`SELECT value FROM cluster_secrets WHERE name = $1`, [name])) as { value: Buffer }[];
  return rows[0]?.value ?? null;
}
