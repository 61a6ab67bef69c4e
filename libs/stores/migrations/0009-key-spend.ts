import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The roll-ups of a key, found without looking at everybody's: what a key's calls cost in all is shown with it (KEY-1). */
export class KeySpend1760000000009 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE INDEX usage_dimensions_key ON usage_dimensions (org_id, key_id)`);
    await runner.query(`CREATE INDEX usage_rollups_dimension ON usage_rollups (dimension_id)`);
  }

  async down(): Promise<void> {
    throw new Error('migrations are forward only');
  }
}
