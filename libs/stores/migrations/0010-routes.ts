import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Which fallback chain a request went through, and of an attempt that failed and was billed apart, to which request it
 * belongs (owner: `libs/ledger`).
 */
export class Routes1760000000010 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE usage_events
        ADD COLUMN chain      text,
        ADD COLUMN request_id text`);
  }
  async down(): Promise<void> {
    throw new Error('migrations are forward only');
  }
}
