import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Secrets that must be equal for every instance of a cluster (see `cluster-secrets.ts`).
 *
 * Form of a migration: file `NNNN-<name>.ts`, class `<Name>176000000NNNN` (TypeORM orders by these 13 digits). Forward
 * only. It runs in a transaction of its own as the schema's owner, waiting at most 2 s for a lock.
 */
export class Cluster1760000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE cluster_secrets (
        name    text PRIMARY KEY,
        value   bytea NOT NULL CHECK (octet_length(value) = 32),
        made_at timestamptz NOT NULL DEFAULT now()
      )`);
  }
  async down(): Promise<void> {
    throw new Error('migrations are forward only');
  }
}
