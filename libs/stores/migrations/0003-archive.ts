import type { MigrationInterface, QueryRunner } from 'typeorm';
import { partitionClause } from '../partitioner.js';

/**
 * The archive of bodies where no MongoDB is configured: monthly partitions (or a hypertable), made by the worker and dropped for retention.
 * Bodies are gzipped bytes (jsonb would lose key order and number forms, and refuses NUL), hence no second compression.
 */
export class Archive1760000000003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE archive_records (
        ts                 timestamptz NOT NULL,
        id                 text NOT NULL,
        org_id             text NOT NULL,
        kind               text NOT NULL,
        facets             jsonb NOT NULL,
        request            bytea NOT NULL,
        request_bytes      integer NOT NULL,
        request_truncated  boolean NOT NULL,
        response           bytea NOT NULL,
        response_bytes     integer NOT NULL,
        response_truncated boolean NOT NULL,
        PRIMARY KEY (ts, id)
      ) ${await partitionClause(runner)}`);
    await runner.query(`ALTER TABLE archive_records
      ALTER COLUMN request SET STORAGE EXTERNAL, ALTER COLUMN response SET STORAGE EXTERNAL`);
    await runner.query(`CREATE INDEX archive_records_org_kind_ts ON archive_records (org_id, kind, ts DESC, id DESC)`);
    await runner.query(`CREATE INDEX archive_records_facets ON archive_records USING gin (facets jsonb_path_ops)`);
  }
  async down(): Promise<void> {
    throw new Error('migrations are forward only');
  }
}
