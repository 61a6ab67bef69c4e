import type { Sql } from './sql.postgres.js';

/** What a process may spend of one budget and period. */
export interface MirroredCeiling {
  readonly orgId: string;
  readonly field: string;
  readonly nanos: number;
}

/** Copies ceilings of a living process; a lower `seq` never replaces a higher one. */
export async function mirrorCeilings(
  sql: Sql,
  processId: string,
  seq: number,
  ceilings: readonly MirroredCeiling[],
): Promise<void> {
  await sql.query(
    `INSERT INTO budget_leases (org_id, process_id, budget, ceiling, seq)
     SELECT x.org_id, $1, x.budget, x.ceiling, $2
     FROM unnest($3::text[], $4::text[], $5::bigint[]) AS x (org_id, budget, ceiling)
       JOIN budget_processes p ON p.org_id = x.org_id AND p.process_id = $1 AND p.state = 'live'
     ORDER BY 1, 3
     ON CONFLICT (org_id, process_id, budget) DO UPDATE SET ceiling = excluded.ceiling, seq = excluded.seq
     WHERE excluded.seq > budget_leases.seq`,
    [
      processId,
      seq,
      ceilings.map(({ orgId }) => orgId),
      ceilings.map(({ field }) => field),
      ceilings.map(({ nanos }) => nanos),
    ],
  );
}
