import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The durable side of the budgets (KEY-4, KEY-6; owner: `libs/ledger/budgets`). A field of a budget is `<budget>|<period>`;
 * amounts are integer nano-dollars.
 */
export class Budgets1760000000004 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // What a row was charged to, and by whom: the sums in budget_spend can be checked against the rows at any time.
    await runner.query(`ALTER TABLE usage_events
      ADD COLUMN process_id text, ADD COLUMN bound_nanos bigint, ADD COLUMN budgets text[] NOT NULL DEFAULT '{}'`);
    // A process per organisation it serves. Live: its ceilings in Redis count. Closed: its rows count. Never both (I4).
    await runner.query(`
      CREATE TABLE budget_processes (
        org_id     text NOT NULL,
        process_id text NOT NULL,
        state      text NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'closed')),
        lost       boolean NOT NULL DEFAULT false,
        entered_at timestamptz NOT NULL DEFAULT now(),
        closed_at  timestamptz,
        PRIMARY KEY (org_id, process_id)
      )`);
    await runner.query(`CREATE INDEX budget_processes_process ON budget_processes (process_id)`);
    // Bytes of each process's spool whose rows are in usage_events.
    await runner.query(`
      CREATE TABLE budget_spools (
        process_id text PRIMARY KEY,
        acked      bigint NOT NULL DEFAULT 0 CHECK (acked >= 0)
      )`);
    // Moved in the transaction of the rows, by exactly the inserted ones (I3). ended: the period cannot be charged any more.
    await runner.query(`
      CREATE TABLE budget_spend (
        org_id     text NOT NULL,
        budget     text NOT NULL,
        process_id text NOT NULL,
        nanos      bigint NOT NULL,
        ended      boolean NOT NULL DEFAULT false,
        PRIMARY KEY (org_id, budget, process_id)
      )`);
    await runner.query(`CREATE INDEX budget_spend_open ON budget_spend (org_id, process_id) WHERE NOT ended`);
    // Mirror of the ceilings, a quarter of a second old, for the day Redis' memory and a disk are lost together.
    await runner.query(`
      CREATE TABLE budget_leases (
        org_id     text NOT NULL,
        process_id text NOT NULL,
        budget     text NOT NULL,
        ceiling    bigint NOT NULL,
        seq        bigint NOT NULL,
        PRIMARY KEY (org_id, process_id, budget)
      )`);
    // Which life of which Redis the counters belong to; the fence orders writers of rare operations (I5).
    await runner.query(`
      CREATE TABLE budget_generations (
        org_id text PRIMARY KEY,
        gen    bigint NOT NULL DEFAULT 0,
        run    text NOT NULL DEFAULT '',
        fence  bigint NOT NULL DEFAULT 0
      )`);
  }

  async down(): Promise<void> {
    throw new Error('migrations are forward only');
  }
}
