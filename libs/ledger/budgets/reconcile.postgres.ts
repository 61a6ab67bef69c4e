import { idTimeMs, idUuid } from '#libs/platform/ids.js';
import { rollUp, ROLLUP_FACTS } from '../rollups/rollup-sql.js';
import type { Sql } from './sql.postgres.js';
import { MERGED } from './sweep.postgres.js';

/** What a call truly cost, as its provider's own report says. */
export interface TrueCost {
  /** `req_` + UUIDv7. */
  readonly id: string;
  /** Integer nano-dollars. */
  readonly costNanos: number;
}

/** A row of the ledger that a true cost was given for. */
export interface ReconciledRow extends TrueCost {
  readonly orgId: string;
  readonly state: 'settled' | 'unknown' | 'slice';
  /** What it stands at until now. */
  readonly bookedNanos: number;
  /** Budget fields that it is charged to. */
  readonly budgets: readonly string[];
}

const FACTS = [...new Set(['id', 'budgets', ...ROLLUP_FACTS])];
const factsOf = (alias: string): string => FACTS.map((name) => `${alias}.${name}`).join(', ');
const INPUT = `r AS (SELECT * FROM json_to_recordset($1::json) AS cost (ts timestamptz, id uuid, nanos bigint))`;

const FIND = `
  WITH ${INPUT}
  SELECT l.id::text, l.org_id, l.state, l.cost_nanos::text, l.budgets FROM usage_events l JOIN r USING (ts, id)`;

// I3: `unknown` becomes the true end once, and sums and roll-ups move by the difference. The difference goes to the sums of
// closed processes, whoever booked the row: a living process still counts it in its ceiling, and cannot be told (I4).
const SETTLE = `
  WITH ${INPUT},
  old AS (
    SELECT ${factsOf('l')}, r.nanos AS new_nanos FROM usage_events l JOIN r USING (ts, id)
    WHERE l.org_id = $2 AND l.state = 'unknown' ORDER BY l.ts, l.id FOR UPDATE OF l),
  up AS (
    UPDATE usage_events l SET state = 'settled', cost_nanos = old.new_nanos,
      recost_nanos = NULL, recost_version = NULL, recost_at = NULL
    FROM old WHERE l.ts = old.ts AND l.id = old.id RETURNING ${factsOf('l')}),
  sums AS (
    SELECT old.org_id, u.budget, sum(old.new_nanos - old.cost_nanos)::bigint AS nanos
    FROM old CROSS JOIN unnest(old.budgets) u(budget) GROUP BY 1, 2),
  moved AS (
    INSERT INTO budget_spend AS kept (org_id, budget, process_id, nanos)
    SELECT org_id, budget, '${MERGED}', nanos FROM sums ORDER BY 1, 2
    ON CONFLICT (org_id, budget, process_id) DO UPDATE SET nanos = kept.nanos + excluded.nanos),
  ${rollUp('up', 'old')}
  SELECT count(*) FROM up`;

/** The rows that true costs are given for; ids that the ledger does not have are left out. */
export async function findReconciled(sql: Sql, costs: readonly TrueCost[]): Promise<readonly ReconciledRow[]> {
  const byUuid = new Map(costs.map((cost) => [idUuid(cost.id), cost]));
  const rows = await sql.query<{
    id: string;
    org_id: string;
    state: ReconciledRow['state'];
    cost_nanos: string;
    budgets: string[];
  }>(FIND, [asJson(costs)]);
  return rows.map((row) => ({
    ...(byUuid.get(row.id) as TrueCost),
    orgId: row.org_id,
    state: row.state,
    bookedNanos: Number(row.cost_nanos),
    budgets: row.budgets,
  }));
}

/** Settles `unknown` rows of one organisation at what they truly cost. Inside the caller's transaction; any number of times. */
export async function settleUnknown(sql: Sql, orgId: string, costs: readonly TrueCost[]): Promise<void> {
  await sql.query(SETTLE, [asJson(costs), orgId]);
}

function asJson(costs: readonly TrueCost[]): string {
  const rows = costs.map(({ id, costNanos }) => ({
    ts: new Date(idTimeMs(id) ?? 0).toISOString(),
    id: idUuid(id),
    nanos: costNanos,
  }));
  return JSON.stringify(rows);
}
