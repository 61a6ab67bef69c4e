import type { DataSource, EntityManager } from 'typeorm';
import { idUuid } from '#libs/platform/ids.js';
import type { Correction, RecostRange, RecostStore } from './recost-store.js';
import { READ, type StoredRow, toRow } from './stored-usage-row.js';
import type { UsageRow } from './usage-ledger.js';

const BATCH_ROWS = 1000;
const FIRST_UUID = '00000000-0000-0000-0000-000000000000';

const PAGE = `
  SELECT ${READ} FROM usage_events
  WHERE ts >= $1 AND ts < $2 AND (ts, id) > ($3::timestamptz, $4::uuid)
    AND usage_raw IS NOT NULL AND ($5::text IS NULL OR org_id = $5)
  ORDER BY ts, id LIMIT ${BATCH_ROWS}`;

const CORRECT = `
  UPDATE usage_events AS event
  SET recost_nanos = correction.nanos, recost_version = correction.version, recost_at = correction.at
  FROM json_to_recordset($1::json) AS correction (ts timestamptz, id uuid, nanos bigint, version text, at timestamptz)
  WHERE event.ts = correction.ts AND event.id = correction.id`;

/** Sums of others that move with corrected costs, in their transaction. */
export type OnCorrected = (manager: EntityManager, corrections: readonly Correction[]) => Promise<void>;

/** Prices again on `usage_events`; needs a role that may change its rows. Booked columns are never touched. */
export class PostgresRecostStore implements RecostStore {
  readonly #source: DataSource;
  readonly #onCorrected: OnCorrected;

  constructor(source: DataSource, onCorrected: OnCorrected = async () => {}) {
    this.#source = source;
    this.#onCorrected = onCorrected;
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
    await this.#source.transaction(async (manager) => {
      await manager.query(CORRECT, [JSON.stringify(rows)]);
      await this.#onCorrected(manager, corrections);
    });
  }
}
