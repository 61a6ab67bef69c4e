import type { MigrationInterface, QueryRunner } from 'typeorm';
import { partitionClause, timePartitioner } from '../partitioner.js';

/**
 * Roll-ups of the ledger for reports (KEY-7; owner: `libs/ledger/rollups`), moved in the transaction of the rows by exactly
 * what changed in them, and the owners of a call beside its team. Sums are numeric: a provider may report any count.
 */
export class Rollups1760000000005 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE usage_events ADD COLUMN owner_user text, ADD COLUMN owner_app text`);
    // What calls can be told apart by, once per combination. '' is "none". The id is a digest of all other columns, so
    // that writers agree on it without asking.
    await runner.query(`
      CREATE TABLE usage_dimensions (
        id         uuid PRIMARY KEY,
        org_id     text NOT NULL,
        team       text NOT NULL,
        owner_user text NOT NULL,
        owner_app  text NOT NULL,
        key_id     text NOT NULL,
        key_name   text NOT NULL,
        provider   text NOT NULL,
        model      text NOT NULL,
        tags       text[] NOT NULL
      )`);
    await runner.query(`
      CREATE TABLE usage_dimension_tags (
        org_id       text NOT NULL,
        tag          text NOT NULL,
        dimension_id uuid NOT NULL,
        PRIMARY KEY (org_id, tag, dimension_id)
      )`);
    await runner.query(`CREATE INDEX usage_dimension_tags_dimension ON usage_dimension_tags (dimension_id)`);
    // ts: start of a quarter of an hour in UTC. Every zone's days begin on one.
    await runner.query(`
      CREATE TABLE usage_rollups (
        ts                  timestamptz NOT NULL,
        org_id              text NOT NULL,
        dimension_id        uuid NOT NULL,
        calls               bigint  NOT NULL,
        failed_calls        bigint  NOT NULL,
        unpriced_calls      bigint  NOT NULL,
        unknown_calls       bigint  NOT NULL,
        input_tokens        numeric NOT NULL,
        cached_input_tokens numeric NOT NULL,
        cache_write_tokens  numeric NOT NULL,
        output_tokens       numeric NOT NULL,
        reasoning_tokens    numeric NOT NULL,
        cost_nanos          numeric NOT NULL,
        PRIMARY KEY (org_id, ts, dimension_id)
      ) ${await partitionClause(runner)}`);
    await (await timePartitioner(runner, 'month')).ensure('usage_rollups'); // a hypertable has to be one before it has rows
    await this.fill(runner);
  }

  /** From the rows that are there. */
  private async fill(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TEMPORARY TABLE filling ON COMMIT DROP AS
      SELECT *, left(encode(sha256(convert_to(jsonb_build_array(
          org_id, team, owner_user, owner_app, key_id, key_name, provider, model, tags)::text, 'UTF8')), 'hex'), 32)::uuid
        AS dimension_id
      FROM (
        SELECT date_bin('15 minutes', ts, TIMESTAMPTZ '2000-01-01 00:00:00Z') AS ts, org_id, coalesce(team, '') AS team,
          '' AS owner_user, '' AS owner_app, key_id, key_name, provider, model,
          ARRAY(SELECT DISTINCT tag COLLATE "C" FROM unnest(tags) AS tag ORDER BY 1) AS tags,
          count(*) AS calls,
          count(*) FILTER (WHERE coalesce(error, '') <> 'client_gone' AND (status >= 400 OR error IS NOT NULL)) AS failed_calls,
          count(*) FILTER (WHERE usage_raw IS NOT NULL AND price_version IS NULL) AS unpriced_calls,
          count(*) FILTER (WHERE state = 'unknown') AS unknown_calls,
          coalesce(sum(input_tokens), 0) AS input_tokens,
          coalesce(sum(cached_input_tokens), 0) AS cached_input_tokens,
          coalesce(sum(cache_write_5m_tokens::numeric + cache_write_1h_tokens), 0) AS cache_write_tokens,
          coalesce(sum(output_tokens), 0) AS output_tokens,
          coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
          sum(cost_nanos) AS cost_nanos
        FROM usage_events WHERE state <> 'slice' GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
      ) sums`);
    await runner.query(`
      INSERT INTO usage_dimensions
      SELECT DISTINCT dimension_id, org_id, team, owner_user, owner_app, key_id, key_name, provider, model, tags FROM filling`);
    await runner.query(`
      INSERT INTO usage_dimension_tags SELECT DISTINCT org_id, tag, dimension_id FROM filling CROSS JOIN unnest(tags) AS tag`);
    await runner.query(`
      INSERT INTO usage_rollups
      SELECT ts, org_id, dimension_id, calls, failed_calls, unpriced_calls, unknown_calls, input_tokens, cached_input_tokens,
        cache_write_tokens, output_tokens, reasoning_tokens, cost_nanos FROM filling`);
  }

  async down(): Promise<void> {
    throw new Error('migrations are forward only');
  }
}
