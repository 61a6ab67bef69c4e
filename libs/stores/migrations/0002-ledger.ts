import type { MigrationInterface, QueryRunner } from 'typeorm';
import { partitionClause } from '../partitioner.js';

/**
 * The ledger: one row per upstream call (KEY-6). `ts` is the time inside the UUIDv7 `id`, so a row sent twice meets its
 * first copy in the same partition, and a look-up by id reads one partition. Daily partitions (or a hypertable) are
 * made by the worker. No more than these three indexes: each is paid per call.
 */
export class Ledger1760000000002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE usage_events (
        ts                    timestamptz NOT NULL,
        id                    uuid NOT NULL,
        state                 text NOT NULL DEFAULT 'settled' CHECK (state IN ('settled', 'unknown', 'slice')),
        org_id                text NOT NULL,
        key_id                text NOT NULL,
        key_name              text NOT NULL,
        team                  text,
        tags                  text[] NOT NULL DEFAULT '{}',
        route                 text NOT NULL,
        dialect               text NOT NULL,
        provider              text NOT NULL,
        model_requested       text NOT NULL,
        model                 text NOT NULL,
        stream                boolean NOT NULL,
        status                smallint NOT NULL,
        upstream_status       smallint,
        error                 text,
        usage_source          text NOT NULL,
        input_tokens          bigint,
        cached_input_tokens   bigint,
        cache_write_5m_tokens bigint,
        cache_write_1h_tokens bigint,
        output_tokens         bigint,
        reasoning_tokens      bigint,
        web_search_requests   bigint,
        usage_raw             text,
        cost_nanos            bigint NOT NULL,
        price_version         text,
        latency_ms            double precision NOT NULL,
        first_byte_ms         double precision,
        attempts              smallint NOT NULL,
        cache                 text NOT NULL DEFAULT 'none',
        trace_id              text,
        PRIMARY KEY (ts, id)
      ) ${await partitionClause(runner)}`);
    await runner.query(`CREATE INDEX usage_events_org_ts ON usage_events (org_id, ts DESC, id DESC)`);
    await runner.query(`CREATE INDEX usage_events_org_key_ts ON usage_events (org_id, key_id, ts DESC, id DESC)`);
  }
  async down(): Promise<void> {
    throw new Error('migrations are forward only');
  }
}
