import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The registry's documents and version, the audit chain, and one-time admin links (owner: `libs/registry`, admin side). */
export class Registry1760000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // One row. Every change takes its lock, so versions have no gaps and no two changes share one. `lineage` tells this
    // database's registry from any other, so that a Redis filled from elsewhere is recognised. Below `floor` nobody knows
    // what vanished (the version was lifted after a restore): whoever is older reads everything.
    await runner.query(`
      CREATE TABLE registry_head (
        one     boolean PRIMARY KEY DEFAULT true CHECK (one),
        lineage uuid    NOT NULL DEFAULT gen_random_uuid(),
        version bigint  NOT NULL DEFAULT 0 CHECK (version BETWEEN 0 AND 9007199254740991),
        floor   bigint  NOT NULL DEFAULT 0
      )`);
    await runner.query(`INSERT INTO registry_head DEFAULT VALUES`);
    // Deleted documents stay as tombstones, so that "all that changed since version n" includes deletions.
    await runner.query(`
      CREATE TABLE registry_documents (
        org_id      text        NOT NULL CHECK (org_id <> '' AND position('/' IN org_id) = 0),
        kind        text        NOT NULL CHECK (kind <> '' AND position('/' IN kind) = 0),
        id          text        NOT NULL CHECK (id <> ''),
        name        text        NOT NULL,
        unique_name text,
        version     bigint      NOT NULL,
        body        jsonb       NOT NULL,
        deleted     boolean     NOT NULL DEFAULT false,
        created_at  timestamptz NOT NULL,
        updated_at  timestamptz NOT NULL,
        PRIMARY KEY (org_id, kind, id)
      )`);
    await runner.query(`CREATE INDEX registry_documents_version ON registry_documents (version)`);
    await runner.query(`
      CREATE UNIQUE INDEX registry_documents_unique_name ON registry_documents (org_id, kind, unique_name)
        WHERE NOT deleted AND unique_name IS NOT NULL`);
    await this.audit(runner);
    await runner.query(`
      CREATE TABLE admin_links (
        digest      bytea       PRIMARY KEY,
        org_id      text        NOT NULL,
        expires_at  timestamptz NOT NULL,
        consumed_at timestamptz
      )`);
  }

  /** `record` is the exact text the hash covers; the other columns only find it. Nobody may change or remove a row. */
  private async audit(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE audit_log (
        org_id      text        NOT NULL,
        seq         bigint      NOT NULL,
        at          timestamptz NOT NULL,
        action      text        NOT NULL,
        actor_id    text        NOT NULL,
        object_kind text        NOT NULL,
        object_id   text        NOT NULL,
        record      text        NOT NULL,
        prev_hash   bytea       NOT NULL,
        hash        bytea       NOT NULL,
        PRIMARY KEY (org_id, seq)
      )`);
    await runner.query(`CREATE INDEX audit_log_object ON audit_log (org_id, object_kind, object_id, seq)`);
    await runner.query(`
      CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'the audit log can only be appended to' USING ERRCODE = 'insufficient_privilege';
      END $$`);
    await runner.query(`
      CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
        FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only()`);
    // Whatever default privileges gave the run-time role is cut down to reading and inserting.
    await runner.query(`
      DO $$
      DECLARE grantee_name text;
      BEGIN
        FOR grantee_name IN
          SELECT DISTINCT g.grantee FROM information_schema.role_table_grants g
          WHERE g.table_schema = current_schema() AND g.table_name = 'audit_log' AND g.grantee NOT IN (current_user, 'PUBLIC')
        LOOP
          EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON audit_log FROM %I', grantee_name);
        END LOOP;
      END $$`);
  }

  async down(): Promise<void> {
    throw new Error('migrations are forward only');
  }
}
