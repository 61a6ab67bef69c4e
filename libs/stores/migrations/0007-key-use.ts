import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * When each virtual key was last used, to the minute (owner: `libs/ledger`). Not part of the registry: its documents are
 * versions that every replica takes over, and a call must not make one.
 */
export class KeyUse1760000000007 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE key_use (
        org_id       text        NOT NULL,
        key_id       text        NOT NULL,
        last_used_at timestamptz NOT NULL,
        PRIMARY KEY (org_id, key_id)
      )`);
  }

  async down(): Promise<void> {
    throw new Error('migrations are forward only');
  }
}
