// The ledger against the truth, when everything has come to rest.
import type { FakeUpstream } from './upstream.js';
import { nameOf } from './settings.js';

export type Query = (text: string, values?: readonly unknown[]) => Promise<Record<string, unknown>[]>;

interface Row {
  readonly id: string;
  readonly state: string;
  readonly cost: number;
  readonly names: readonly string[];
}

export interface LedgerResult {
  readonly rows: number;
  readonly unknown: number;
  /** Rows `unknown` that the upstream never saw: booked, not spent. */
  readonly unserved: number;
  /** Slices still booked, as a share of their limit, sorted. */
  readonly slices: readonly number[];
}

/** `org field` → sum by the roll-up. */
export async function readSums(query: Query): Promise<Map<string, number>> {
  const rows = await query(`SELECT org_id, budget, sum(nanos)::text AS nanos FROM budget_spend GROUP BY 1, 2`);
  return new Map(rows.map((row) => [nameOf(String(row['org_id']), String(row['budget'])), Number(row['nanos'])]));
}

export async function checkLedger(
  query: Query,
  upstream: FakeUpstream,
  limitOf: (name: string) => number,
  lostDisks: ReadonlySet<string>,
  bad: (what: string, details: object) => void,
): Promise<LedgerResult> {
  const found = await query(`SELECT id::text, state, cost_nanos, org_id, budgets FROM usage_events`);
  const rows = found.map((row): Row => {
    const names = (row['budgets'] as string[]).map((field) => nameOf(String(row['org_id']), field));
    return { id: `req_${String(row['id'])}`, state: String(row['state']), cost: Number(row['cost_nanos']), names };
  });
  const byId = new Map(rows.map((row) => [row.id, row]));
  for (const [id, { cost, processId }] of upstream.served) {
    const row = byId.get(id);
    if (row === undefined) {
      if (!lostDisks.has(processId)) bad('served and no row', { id, processId }); // else booked as slice
    } else if (row.state === 'settled' && row.cost !== cost)
      bad('a row has another cost', { id, row: row.cost, true: cost });
    else if (row.state === 'unknown' && row.cost < cost)
      bad('an unknown row is below the truth', { id, row: row.cost, true: cost });
  }
  const perBudget = new Map<string, number>();
  for (const row of rows) for (const name of row.names) perBudget.set(name, (perBudget.get(name) ?? 0) + row.cost);
  for (const row of rows)
    if (row.state === 'settled' && !upstream.served.has(row.id))
      bad('a settled row that nobody served', { id: row.id });
  for (const [name, nanos] of await readSums(query)) {
    if ((perBudget.get(name) ?? 0) !== nanos)
      bad('the roll-up is not the sum of the rows', { name, nanos, rows: perBudget.get(name) });
  }
  for (const [name, nanos] of perBudget) {
    const spent = upstream.spent.get(name) ?? 0;
    if (nanos > limitOf(name)) bad('the ledger is above the limit', { name, nanos, limit: limitOf(name) });
    if (nanos < spent) bad('the ledger is below the truth', { name, nanos, spent });
  }
  const slices = rows.filter((row) => row.state === 'slice' && row.cost > 0);
  return {
    rows: rows.filter((row) => row.state !== 'slice').length,
    unknown: rows.filter((row) => row.state === 'unknown').length,
    unserved: rows.filter((row) => row.state === 'unknown' && !upstream.served.has(row.id)).length,
    slices: slices.map((row) => row.cost / limitOf(row.names[0] as string)).sort((a, b) => a - b),
  };
}
