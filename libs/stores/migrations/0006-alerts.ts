import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Alerts and their way to webhooks (KEY-7; owner: `libs/alerts`): what is written here is delivered, whoever dies meanwhile. */
export class Alerts1760000000006 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // id: a UUIDv7, so that ids sort by time. dedupe_key: the same thing is told once.
    await runner.query(`
      CREATE TABLE alert_events (
        id           uuid PRIMARY KEY,
        org_id       text NOT NULL,
        at           timestamptz NOT NULL,
        kind         text NOT NULL,
        dedupe_key   text NOT NULL,
        subject      text NOT NULL,
        body         text NOT NULL,
        data         jsonb NOT NULL,
        only_webhook text,
        fanned_out   boolean NOT NULL DEFAULT false,
        UNIQUE (org_id, dedupe_key)
      )`);
    await runner.query(`CREATE INDEX alert_events_waiting ON alert_events (id) WHERE NOT fanned_out`);
    await runner.query(`CREATE INDEX alert_events_org ON alert_events (org_id, id DESC)`);
    // leased_until: somebody is sending it; when that is over and it is still pending, whoever sent it is dead.
    await runner.query(`
      CREATE TABLE alert_deliveries (
        event_id     uuid NOT NULL REFERENCES alert_events ON DELETE CASCADE,
        org_id       text NOT NULL,
        webhook_id   text NOT NULL,
        state        text NOT NULL CHECK (state IN ('pending', 'delivered', 'failed', 'dropped')),
        attempts     integer NOT NULL DEFAULT 0,
        next_at      timestamptz NOT NULL DEFAULT now(),
        leased_until timestamptz,
        tried_at     timestamptz,
        last_status  integer,
        last_error   text,
        PRIMARY KEY (event_id, webhook_id)
      )`);
    await runner.query(`CREATE INDEX alert_deliveries_due ON alert_deliveries (next_at) WHERE state = 'pending'`);
    await runner.query(`CREATE INDEX alert_deliveries_webhook ON alert_deliveries (org_id, webhook_id, event_id DESC)`);
  }

  async down(): Promise<void> {
    throw new Error('migrations are forward only');
  }
}
