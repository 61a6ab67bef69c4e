import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What few calls have beside plain token counts (media, tiers, billed steps), why a cost is an estimate, and what a later
 * `recost` found (owner: `libs/ledger`). Booked columns are never changed: a corrected cost stands beside them.
 */
export class ExactCost1760000000008 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE usage_events
        ADD COLUMN usage_details  jsonb,
        ADD COLUMN cost_estimates text[],
        ADD COLUMN recost_nanos   bigint,
        ADD COLUMN recost_version text,
        ADD COLUMN recost_at      timestamptz`);
  }
  async down(): Promise<void> {
    throw new Error('migrations are forward only');
  }
}
