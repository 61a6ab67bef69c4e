import { rollUp, ROLLUP_FACTS } from '../rollups/rollup-sql.js';
import { RECOST_COLUMNS, USAGE_COLUMNS } from '../store/usage-columns.js';
import { toStored } from '../store/stored-event.js';
import { lastWords, type LedgerRow } from './ledger-row.js';
import type { Sql } from './sql.postgres.js';

const COLUMNS = { ...USAGE_COLUMNS, state: 'text', process_id: 'text', bound_nanos: 'bigint', budgets: 'text[]' };
const NAMES = Object.keys(COLUMNS).join(', ');
const TYPED = Object.entries(COLUMNS)
  .map(([name, type]) => `${name} ${type}`)
  .join(', ');
const RETURNED = [...new Set(['id', 'process_id', 'budgets', ...ROLLUP_FACTS])];
const INPUT = `r AS (SELECT * FROM json_to_recordset($1::json) AS event (${TYPED}))`;
const SPEND = `
  moved AS (
    INSERT INTO budget_spend (org_id, budget, process_id, nanos)
    SELECT org_id, budget, process_id, nanos FROM sums ORDER BY 1, 2, 3
    ON CONFLICT (org_id, budget, process_id) DO UPDATE SET nanos = budget_spend.nanos + excluded.nanos)`;

// I3: a row is inserted once, and the sums move by exactly the rows that were inserted.
const INSERT = `
  WITH ${INPUT},
  new AS (
    INSERT INTO usage_events (${NAMES}) SELECT ${NAMES} FROM r ORDER BY ts, id
    ON CONFLICT (ts, id) DO NOTHING
    RETURNING ${RETURNED.join(', ')}),
  sums AS (
    SELECT n.org_id, u.budget, n.process_id, sum(n.cost_nanos)::bigint AS nanos
    FROM new n CROSS JOIN unnest(n.budgets) u(budget) GROUP BY 1, 2, 3),
  ${SPEND},
  ${rollUp('new')}
  SELECT id::text FROM new`;

// I3: `unknown` becomes the true end once, and the sums move by the difference. What it was charged to stays.
const KEPT = ['ts', 'id', 'org_id', 'process_id', 'budgets'];
const CHANGES = Object.keys(COLUMNS)
  .filter((name) => !KEPT.includes(name))
  .map((name) => `${name} = r.${name}`)
  .concat(RECOST_COLUMNS.map((name) => `${name} = NULL`)) // a correction of what is no longer there
  .join(', ');
const REPLACE = `
  WITH ${INPUT},
  old AS (
    SELECT ${RETURNED.map((name) => `l.${name}`).join(', ')}, r.cost_nanos AS new_nanos
    FROM usage_events l JOIN r ON l.ts = r.ts AND l.id = r.id
    WHERE l.state = 'unknown' ORDER BY l.ts, l.id FOR UPDATE OF l),
  up AS (
    UPDATE usage_events l SET ${CHANGES} FROM old JOIN r ON r.ts = old.ts AND r.id = old.id
    WHERE l.ts = old.ts AND l.id = old.id RETURNING ${RETURNED.map((name) => `l.${name}`).join(', ')}),
  sums AS (
    SELECT old.org_id, u.budget, old.process_id, sum(old.new_nanos - old.cost_nanos)::bigint AS nanos
    FROM old CROSS JOIN unnest(old.budgets) u(budget) GROUP BY 1, 2, 3),
  ${SPEND},
  ${rollUp('up', 'old')}
  SELECT id::text, cost_nanos AS previous FROM old`;

/** What a commit changed, for whoever keeps sums of their own in the same transaction. */
export interface RowChanges {
  readonly inserted: readonly LedgerRow[];
  /** `unknown` rows that got their true end, with the amount they were booked at. */
  readonly replaced: readonly { readonly row: LedgerRow; readonly previousNanos: number }[];
}

/**
 * Adds rows to the ledger and moves the budgets' sums and the roll-ups with them. Inside the caller's transaction; any
 * number of times with the same rows.
 */
export async function commitRows(sql: Sql, rows: readonly LedgerRow[]): Promise<RowChanges> {
  if (rows.length === 0) return { inserted: [], replaced: [] };
  // two words about one call in one statement would count its difference twice
  const byUuid = new Map(lastWords(rows).map((row) => [row.event.id.slice(row.event.id.indexOf('_') + 1), row]));
  const words = [...byUuid.values()];
  const added = await sql.query<{ id: string }>(INSERT, [asJson(words)]);
  const inserted = added.map(({ id }) => byUuid.get(id) as LedgerRow);
  const isNew = new Set(inserted);
  const known = words.filter((row) => row.state !== 'unknown' && !isNew.has(row));
  if (known.length === 0) return { inserted, replaced: [] };
  const changed = await sql.query<{ id: string; previous: string }>(REPLACE, [asJson(known)]);
  const replaced = changed.map(({ id, previous }) => ({
    row: byUuid.get(id) as LedgerRow,
    previousNanos: Number(previous),
  }));
  return { inserted, replaced };
}

function asJson(rows: readonly LedgerRow[]): string {
  return JSON.stringify(
    rows.map(({ event, state, processId, boundNanos, budgets }) => ({
      ...toStored(event),
      state,
      process_id: processId,
      bound_nanos: boundNanos,
      budgets,
    })),
  );
}
