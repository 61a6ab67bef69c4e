import type { DataSource } from 'typeorm';
import { idTimeMs } from '#libs/platform/ids.js';
import type { TablePartitions } from '#libs/stores/index.js';
import { commitRows, type RowChanges } from './commit-rows.postgres.js';
import { commitSoundRows, isFaultOfTheData, type UnfitRow } from './commit-sound-rows.postgres.js';
import { addUp, type OnChanges, resolveSlices } from './process-end.postgres.js';
import type { LedgerRow } from './ledger-row.js';
import type { RowBatch } from './row-batch.js';
import { type Sql, transaction, withConnection } from './sql.postgres.js';

export interface RowWriterOptions {
  /** Connected as the owner of `usage_events`. */
  readonly source: DataSource;
  /** Daily ones of `usage_events`. */
  readonly partitions: TablePartitions;
  readonly onChanges?: OnChanges;
}

export interface Committed {
  /** Process → offset of its spool up to which the ledger has everything. */
  readonly acked: ReadonlyMap<string, number>;
  /** Organisations in which a process that is closed had rows: their sums in Redis are to be set anew. */
  readonly late: ReadonlySet<string>;
  /** Rows that the store can never take as they are; their money is booked, their description is left blank. */
  readonly unfit: readonly UnfitRow[];
}

interface Membership {
  readonly org_id: string;
  readonly process_id: string;
  readonly state: string;
  readonly lost: boolean;
}

/** The worker's side: batches of the stream into the ledger, in one transaction each time. */
export class PostgresRowWriter {
  readonly #options: RowWriterOptions;

  constructor(options: RowWriterOptions) {
    this.#options = options;
  }

  /** Any number of times with the same batches. Rejects when the store is away: send all again. */
  async commit(batches: readonly RowBatch[]): Promise<Committed> {
    const times = batches.flatMap(({ rows }) => rows.map(({ event }) => idTimeMs(event.id) as number));
    if (times.length > 0) await this.#options.partitions.ensure(least(times), most(times));
    try {
      return await this.#commit(batches, async (sql, rows) => ({ changes: await commitRows(sql, rows), unfit: [] }));
    } catch (error) {
      // One row at fault must not hold up its neighbours for ever: again, looking for it.
      if (!isFaultOfTheData(error)) throw error;
      return this.#commit(batches, commitSoundRows);
    }
  }

  async #commit(
    batches: readonly RowBatch[],
    add: (sql: Sql, rows: readonly LedgerRow[]) => Promise<{ changes: RowChanges; unfit: readonly UnfitRow[] }>,
  ): Promise<Committed> {
    const rows = batches.flatMap((batch) => batch.rows);
    return withConnection(this.#options.source, (sql) =>
      transaction(sql, async () => {
        const processes = [
          ...new Set([...batches.map(({ processId }) => processId), ...rows.map(({ processId }) => processId)]),
        ].sort();
        // Held to the end: a process is closed either before, and these rows are late, or after, and its end counts them.
        const known = await sql.query<Membership>(
          `SELECT org_id, process_id, state, lost FROM budget_processes WHERE process_id = ANY($1) ORDER BY 1, 2 FOR SHARE`,
          [processes],
        );
        const acked = await advance(sql, batches, processes);
        const { changes, unfit } = await add(sql, rows);
        for (const lost of known.filter((process) => process.lost)) await takeFromSlices(sql, lost, changes.inserted);
        if (this.#options.onChanges !== undefined) await this.#options.onChanges(sql, changes);
        const live = new Set(
          known.filter(({ state }) => state === 'live').map((row) => `${row.org_id} ${row.process_id}`),
        );
        const late = rows.filter(({ event, processId }) => !live.has(`${event.orgId} ${processId}`));
        return { acked, late: new Set(late.map(({ event }) => event.orgId)), unfit };
      }),
    );
  }
}

/** A process that was booked as lost woke up and shipped: its rows are part of what it was booked at. */
async function takeFromSlices(sql: Sql, { org_id, process_id }: Membership, rows: readonly LedgerRow[]): Promise<void> {
  const own = rows.filter(({ event, processId }) => event.orgId === org_id && processId === process_id);
  if (own.length > 0) await resolveSlices({ sql, orgId: org_id }, process_id, addUp(new Map(), own));
}

const least = (times: readonly number[]): number => times.reduce((a, b) => Math.min(a, b));
const most = (times: readonly number[]): number => times.reduce((a, b) => Math.max(a, b));

/** Moves the committed offsets; a gap never counts as safe. */
async function advance(
  sql: Sql,
  batches: readonly RowBatch[],
  processes: readonly string[],
): Promise<Map<string, number>> {
  const spools = await sql.query<{ process_id: string; acked: string }>(
    `SELECT process_id, acked FROM budget_spools WHERE process_id = ANY($1) ORDER BY 1 FOR UPDATE`,
    [processes],
  );
  const acked = new Map(spools.map(({ process_id, acked: offset }) => [process_id, Number(offset)]));
  for (const { processId, from, to } of batches) {
    const offset = acked.get(processId);
    if (offset !== undefined && from <= offset && to > offset) acked.set(processId, to);
  }
  await sql.query(
    `UPDATE budget_spools s SET acked = x.acked FROM unnest($1::text[], $2::bigint[]) AS x (process_id, acked)
     WHERE s.process_id = x.process_id AND x.acked > s.acked`,
    [[...acked.keys()], [...acked.values()]],
  );
  return acked;
}
