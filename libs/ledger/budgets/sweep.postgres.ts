import { ROW_ACKS } from '#libs/stores/index.js';
import type { Generation } from './generation.postgres.js';
import { chargedUntilMs } from './period-end.js';
import { transaction } from './sql.postgres.js';

/** Sums of processes that were merged; no process has such an id. */
export const MERGED = '~closed';
/** Batches of a process still in the stream after so long are none. */
const MERGE_AFTER = '1 day';
/** A process that is closed and owes nothing is forgotten after this. */
const FORGET_AFTER = '7 days';
const MOST_AT_ONCE = 500;

/** Removes what nobody needs any more in one organisation. Under its lock. */
export async function sweepOrganisation(c: Generation): Promise<void> {
  const [clock] = await c.sql.query<{ ms: string }>(
    `SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms`,
  );
  // both clocks must agree that a period is over: what is swept would be free to spend again
  const nowMs = Math.min(c.nowMs, Number(clock?.ms));
  await sweepGenerations(c);
  await sweepFields(c, nowMs);
  await endPeriods(c, nowMs);
  await mergeClosed(c);
}

async function sweepGenerations(c: Generation): Promise<void> {
  const current = Number(c.gen);
  const processes = await c.sql.query<{ process_id: string }>(
    `SELECT process_id FROM budget_processes WHERE org_id = $1`,
    [c.orgId],
  );
  const first = Math.max(c.sweptBefore, current - MOST_AT_ONCE);
  for (let old = first; old < current; old++) {
    const gen = String(old);
    const joined = await c.redis.smembers(c.keys.joined(gen));
    const ids = new Set([...joined, ...processes.map(({ process_id }) => process_id)]);
    const keys = [...ids].map((id) => c.keys.ceilings(gen, id));
    await c.redis.unlink(c.keys.totals(gen), c.keys.closed(gen), c.keys.joined(gen), ...keys);
  }
  if (current > c.sweptBefore) await c.admin('swept', '', [current]);
}

async function sweepFields(c: Generation, nowMs: number): Promise<void> {
  const fields = await c.redis.hkeys(c.keys.totals(c.gen));
  const ended = fields.filter((field) => chargedUntilMs(field) < nowMs);
  if (ended.length === 0) return;
  const keys = (await c.redis.smembers(c.keys.joined(c.gen))).map((id) => c.keys.ceilings(c.gen, id));
  for (let i = 0; i < ended.length; i += MOST_AT_ONCE) {
    await c.admin('sweep', '', ended.slice(i, i + MOST_AT_ONCE), keys);
  }
}

/** Marks sums that no fold needs to read again. */
async function endPeriods(c: Generation, nowMs: number): Promise<void> {
  const open = await c.sql.query<{ budget: string }>(
    `SELECT DISTINCT budget FROM budget_spend WHERE org_id = $1 AND NOT ended`,
    [c.orgId],
  );
  const ended = open.map(({ budget }) => budget).filter((budget) => chargedUntilMs(budget) < nowMs);
  for (let i = 0; i < ended.length; i += MOST_AT_ONCE) {
    await c.sql.query(`UPDATE budget_spend SET ended = true WHERE org_id = $1 AND budget = ANY($2) AND NOT ended`, [
      c.orgId,
      ended.slice(i, i + MOST_AT_ONCE),
    ]);
  }
}

/** One row per budget for all processes that are long gone; the sums stay the same (I3). */
async function mergeClosed(c: Generation): Promise<void> {
  const gone = await transaction(c.sql, async () => {
    await c.sql.query(
      `WITH gone AS (
         DELETE FROM budget_spend s USING budget_processes p
         WHERE s.org_id = $1 AND p.org_id = s.org_id AND p.process_id = s.process_id
           AND p.state = 'closed' AND NOT p.lost AND p.closed_at < now() - interval '${MERGE_AFTER}'
         RETURNING s.budget, s.nanos, s.ended)
       INSERT INTO budget_spend AS kept (org_id, budget, process_id, nanos, ended)
       SELECT $1, budget, '${MERGED}', sum(nanos)::bigint, bool_and(ended) FROM gone GROUP BY budget ORDER BY budget
       ON CONFLICT (org_id, budget, process_id)
       DO UPDATE SET nanos = kept.nanos + excluded.nanos, ended = kept.ended AND excluded.ended`,
      [c.orgId],
    );
    await c.sql.query(
      `DELETE FROM budget_leases l WHERE l.org_id = $1 AND NOT EXISTS (
         SELECT 1 FROM budget_processes p WHERE p.org_id = l.org_id AND p.process_id = l.process_id AND p.state = 'live')`,
      [c.orgId],
    );
    const forgotten = await c.sql.query<{ process_id: string }>(
      `DELETE FROM budget_processes
       WHERE org_id = $1 AND state = 'closed' AND NOT lost AND closed_at < now() - interval '${FORGET_AFTER}'
       RETURNING process_id`,
      [c.orgId],
    );
    return c.sql.query<{ process_id: string }>(
      `DELETE FROM budget_spools s WHERE s.process_id = ANY($1)
         AND NOT EXISTS (SELECT 1 FROM budget_processes p WHERE p.process_id = s.process_id)
       RETURNING process_id`,
      [forgotten.map(({ process_id }) => process_id)],
    );
  });
  if (gone.length > 0) await c.redis.hdel(ROW_ACKS, ...gone.map(({ process_id }) => process_id));
}
