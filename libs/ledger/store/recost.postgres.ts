import type { DataSource } from 'typeorm';
import { idUuid } from '#libs/platform/ids.js';
import { rollUp, ROLLUP_FACTS } from '../rollups/rollup-sql.js';
import type { Correction, RecostRange, RecostStore } from './recost-store.js';
import { READ, type StoredRow, toRow } from './stored-usage-row.js';
import type { UsageRow } from './usage-ledger.js';

const BATCH_ROWS = 1000;
const FIRST_UUID = '00000000-0000-0000-0000-000000000000';

const PAGE = `
  SELECT ${READ} FROM usage_events
  WHERE ts >= $1 AND ts < $2 AND (ts, id) > ($3::timestamptz, $4::uuid)
    AND state = 'settled' AND usage_source <> 'partial' AND usage_raw IS NOT NULL
    AND ($5::text IS NULL OR org_id = $5)
  ORDER BY ts, id LIMIT ${BATCH_ROWS}`;

const factsOf = (alias: string): string => ROLLUP_FACTS.map((name) => `${alias}.${name}`).join(', ');

// The roll-ups move by what changes in the rows, in the same statement; two runs at once wait for each other's rows.
const CORRECT = `
  WITH correction AS (
    SELECT * FROM json_to_recordset($1::json)
      AS correction (ts timestamptz, id uuid, nanos bigint, version text, at timestamptz)),
  old AS (
    SELECT l.id, ${factsOf('l')} FROM usage_events l JOIN correction USING (ts, id)
    WHERE l.state = 'settled' ORDER BY l.ts, l.id FOR UPDATE OF l),
  changed AS (
    UPDATE usage_events l
    SET recost_nanos = correction.nanos, recost_version = correction.version, recost_at = correction.at
    FROM old JOIN correction USING (ts, id)
    WHERE l.ts = old.ts AND l.id = old.id
    RETURNING ${factsOf('l')}),
  ${rollUp('changed', 'old')}
  SELECT count(*)::int AS n FROM changed`;

/**
 * Prices again on `usage_events`; needs a role that may change its rows. Booked columns are never touched; the roll-ups,
 * from which reports are made, follow the corrected cost.
 */
export class PostgresRecostStore implements RecostStore {
  readonly #source: DataSource;

  constructor(source: DataSource) {
    this.#source = source;
  }

  async *rows({ fromMs, toMs, orgId }: RecostRange): AsyncIterable<readonly UsageRow[]> {
    let [ts, id] = [new Date(fromMs), FIRST_UUID];
    for (;;) {
      const parameters = [new Date(fromMs), new Date(toMs), ts, id, orgId];
      const stored = (await this.#source.query(PAGE, parameters)) as StoredRow[];
      const last = stored.at(-1);
      if (last === undefined) return;
      yield stored.map(toRow);
      if (stored.length < BATCH_ROWS) return;
      [ts, id] = [last.ts, last.id];
    }
  }

  async correct(corrections: readonly Correction[], atMs: number): Promise<void> {
    if (corrections.length === 0) return;
    const at = new Date(atMs).toISOString();
    const rows = corrections.map(({ row, costNanos, priceVersion }) => ({
      ts: new Date(row.timeMs).toISOString(),
      id: idUuid(row.id),
      nanos: costNanos === null ? null : String(costNanos),
      version: costNanos === null ? null : priceVersion,
      at: costNanos === null ? null : at,
    }));
    await this.#source.query(CORRECT, [JSON.stringify(rows)]);
  }
}
