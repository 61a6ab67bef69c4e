import { createHash } from 'node:crypto';
import { commitRows, type RowChanges } from './commit-rows.postgres.js';
import { commitSoundRows, type UnfitRow } from './commit-sound-rows.postgres.js';
import type { Generation } from './generation.postgres.js';
import { blankEvent, type LedgerRow } from './ledger-row.js';
import type { Sql } from './sql.postgres.js';

const CHUNK = 500;

export interface ProcessRow {
  readonly state: 'live' | 'closed';
  readonly lost: boolean;
  readonly acked: string;
  readonly entered_at: Date;
}

/** Takes what keeps sums of its own along, in the same transaction. */
export type OnChanges = (sql: Sql, changes: RowChanges) => Promise<void>;

/** How a process ends in one organisation. */
export interface ProcessEnd {
  readonly processId: string;
  readonly rows: Iterable<LedgerRow>;
  /** Nobody can read (all of) its spool. */
  readonly lost: boolean;
}

/** What a listener of the ledger is told, inside the transaction. */
export interface EndListeners {
  readonly onChanges: OnChanges;
  /** Rows of which only the money could be booked. */
  readonly onUnfit: (rows: readonly UnfitRow[]) => void;
}

/** Who said what a lost process held: Redis (exact), or the copy in PostgreSQL, which may be older. */
export type HeldBy = 'counters' | 'mirror';

/** Locks a process's row for the rest of the transaction; rows of its batches wait for it (`drain-rows`). */
export async function readProcess(sql: Sql, orgId: string, processId: string): Promise<ProcessRow | null> {
  const [row] = await sql.query<ProcessRow>(
    `SELECT p.state, p.lost, p.entered_at, coalesce(s.acked, 0)::text AS acked
     FROM budget_processes p LEFT JOIN budget_spools s USING (process_id)
     WHERE p.org_id = $1 AND p.process_id = $2 FOR UPDATE OF p`,
    [orgId, processId],
  );
  return row ?? null;
}

/**
 * Books a process's rows and its end. Inside one transaction: before it the process counts by its ceilings, after it by its
 * rows, never by both (I4). Of a lost disk, what the process held beyond its rows is booked too, one `slice` row per
 * budget; when the disk comes back, the real rows replace the slices. @returns who said what it held, where slices were booked
 */
export async function bookEnd(
  c: Generation,
  end: ProcessEnd,
  process: ProcessRow | null,
  listeners: EndListeners,
): Promise<HeldBy | null> {
  const { processId, lost } = end;
  const sums = await commitAll(c.sql, end.rows, listeners);
  if (process === null) return null; // swept long ago: its rows count all the same
  const heldBy = process.state === 'live' && lost ? await bookSlices(c, processId, process.entered_at) : null;
  if (process.state === 'closed' && process.lost) await resolveSlices(c, processId, lost ? sums : null);
  const stays = process.state === 'closed' ? process.lost && lost : lost;
  await c.sql.query(
    `UPDATE budget_processes SET state = 'closed', lost = $3, closed_at = coalesce(closed_at, now())
     WHERE org_id = $1 AND process_id = $2`,
    [c.orgId, processId, stays],
  );
  await c.sql.query(`DELETE FROM budget_leases WHERE org_id = $1 AND process_id = $2`, [c.orgId, processId]);
  return heldBy;
}

/**
 * Books rows of a process that is gone, before its end: inside one transaction. While it is not closed it counts by its
 * ceilings (I4); of one that was booked as lost, they take the place of as much of its slices.
 */
export async function bookRows(
  c: Generation,
  processId: string,
  rows: Iterable<LedgerRow>,
  process: ProcessRow | null,
  listeners: EndListeners,
): Promise<void> {
  const sums = await commitAll(c.sql, rows, listeners);
  if (process?.state === 'closed' && process.lost) await resolveSlices(c, processId, sums);
}

/** Commits in pieces; answers what was new per budget. One row at fault does not hold up the others: its money is booked. */
async function commitAll(
  sql: Sql,
  rows: Iterable<LedgerRow>,
  { onChanges, onUnfit }: EndListeners,
): Promise<Map<string, number>> {
  const sums = new Map<string, number>();
  const commit = async (chunk: readonly LedgerRow[]): Promise<void> => {
    const { changes, unfit } = await commitSoundRows(sql, chunk);
    if (unfit.length > 0) onUnfit(unfit);
    addUp(sums, changes.inserted);
    await onChanges(sql, changes);
  };
  let chunk: LedgerRow[] = [];
  for (const row of rows) {
    if (chunk.push(row) < CHUNK) continue;
    await commit(chunk);
    chunk = [];
  }
  if (chunk.length > 0) await commit(chunk);
  return sums;
}

/** Adds what rows cost to the sums per budget. */
export function addUp(sums: Map<string, number>, rows: readonly LedgerRow[]): Map<string, number> {
  for (const { budgets, event } of rows) {
    for (const budget of budgets) sums.set(budget, (sums.get(budget) ?? 0) + event.costNanos);
  }
  return sums;
}

/** What it owned, by Redis where that still knows (exact), else by the mirror; less what its rows say it spent. */
async function bookSlices(c: Generation, processId: string, enteredAt: Date): Promise<HeldBy> {
  const { sql, orgId } = c;
  const exact = await c.redis.hgetall(c.keys.ceilings(c.gen, processId));
  let held = Object.entries(exact).filter(([field]) => field !== '#' && field !== '@');
  // without `#` it has not joined, or only brought a part of what it holds before it ended
  const heldBy: HeldBy = exact['#'] === undefined ? 'mirror' : 'counters';
  if (heldBy === 'mirror') {
    const mirror = await sql.query<{ budget: string; ceiling: string }>(
      `SELECT budget, ceiling FROM budget_leases WHERE org_id = $1 AND process_id = $2`,
      [orgId, processId],
    );
    held = mirror.map(({ budget, ceiling }) => [budget, ceiling]);
  }
  const spend = await sql.query<{ budget: string; nanos: string }>(
    `SELECT budget, nanos FROM budget_spend WHERE org_id = $1 AND process_id = $2`,
    [orgId, processId],
  );
  const known = new Map(spend.map(({ budget, nanos }) => [budget, Number(nanos)]));
  const slices: LedgerRow[] = [];
  for (const [budget, ceiling] of held) {
    const cost = Number(ceiling) - (known.get(budget) ?? 0);
    if (cost <= 0) continue;
    const event = blankEvent(sliceId(enteredAt.getTime(), [orgId, processId, budget]), orgId, cost);
    slices.push({ state: 'slice', processId, boundNanos: cost, budgets: [budget], event });
  }
  await commitRows(sql, slices); // no listener: a slice is no spending of anybody's
  return heldBy;
}

/**
 * The real rows take the place of booked slices: all of it, or, where pieces of the spool are missing, as much as came.
 * A slice that is resolved stays as a row of 0.
 */
export async function resolveSlices(
  { sql, orgId }: Pick<Generation, 'sql' | 'orgId'>,
  processId: string,
  came: ReadonlyMap<string, number> | null,
): Promise<void> {
  await sql.query(
    `WITH old AS (
       SELECT ts, id, cost_nanos, budgets[1] AS budget, least(cost_nanos, CASE WHEN $3::jsonb IS NULL THEN cost_nanos
         ELSE coalesce(($3::jsonb ->> budgets[1])::bigint, 0) END) AS less
       FROM usage_events WHERE org_id = $1 AND process_id = $2 AND state = 'slice' AND cost_nanos > 0 FOR UPDATE),
     up AS (UPDATE usage_events l SET cost_nanos = l.cost_nanos - old.less FROM old WHERE l.ts = old.ts AND l.id = old.id)
     UPDATE budget_spend s SET nanos = s.nanos - old.less FROM old
     WHERE s.org_id = $1 AND s.process_id = $2 AND s.budget = old.budget`,
    [orgId, processId, came === null ? null : JSON.stringify(Object.fromEntries(came))],
  );
}

/** What `spool forget` does: the booked slices of a lost process count no more. @returns nano-dollars released per budget */
export async function releaseSlices(c: Generation, processId: string): Promise<Map<string, number>> {
  const slices = await c.sql.query<{ budget: string; nanos: string }>(
    `SELECT budgets[1] AS budget, sum(cost_nanos)::text AS nanos FROM usage_events
     WHERE org_id = $1 AND process_id = $2 AND state = 'slice' AND cost_nanos > 0 GROUP BY 1`,
    [c.orgId, processId],
  );
  await resolveSlices(c, processId, null);
  return new Map(slices.map(({ budget, nanos }) => [budget, Number(nanos)]));
}

/** The same organisation, process and budget give the same id, so a slice is booked once; no two share one. */
function sliceId(enteredMs: number, of: readonly [orgId: string, processId: string, budget: string]): string {
  const digest = createHash('sha256').update(of.join('\n')).digest('hex');
  const time = uuidv7TimePart(enteredMs);
  const variant = ((Number.parseInt(digest[3] as string, 16) & 0x3) | 0x8).toString(16);
  return `req_${time.slice(0, 8)}-${time.slice(8)}-7${digest.slice(0, 3)}-${variant}${digest.slice(4, 7)}-${digest.slice(7, 19)}`;
}

function uuidv7TimePart(ms: number): string {
  return Math.floor(ms).toString(16).padStart(12, '0');
}
