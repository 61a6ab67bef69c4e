import { commitRows, type RowChanges } from './commit-rows.postgres.js';
import { blankEvent, type LedgerRow } from './ledger-row.js';
import type { Sql } from './sql.postgres.js';

/** A row whose description the store can never take, with the store's reason. */
export interface UnfitRow {
  readonly row: LedgerRow;
  readonly reason: string;
}

/** SQLSTATE classes 22 (data exception) and 54 (limit exceeded): the same row fails again however often it is sent. */
export function isFaultOfTheData(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^(22|54)/.test(code);
}

/**
 * Adds rows as `commitRows` does, but finds the ones at fault by halves: of those only the money is booked. Inside the
 * caller's transaction.
 */
export async function commitSoundRows(
  sql: Sql,
  rows: readonly LedgerRow[],
): Promise<{ readonly changes: RowChanges; readonly unfit: readonly UnfitRow[] }> {
  await sql.query('SAVEPOINT sound');
  try {
    const changes = await commitRows(sql, rows);
    await sql.query('RELEASE SAVEPOINT sound');
    return { changes, unfit: [] };
  } catch (error) {
    if (!isFaultOfTheData(error)) throw error;
    await sql.query('ROLLBACK TO SAVEPOINT sound');
    const [only] = rows;
    if (rows.length === 1 && only !== undefined) return commitBlank(sql, only, (error as Error).message);
  }
  const middle = rows.length >> 1;
  const first = await commitSoundRows(sql, rows.slice(0, middle));
  const second = await commitSoundRows(sql, rows.slice(middle));
  return {
    changes: {
      inserted: [...first.changes.inserted, ...second.changes.inserted],
      replaced: [...first.changes.replaced, ...second.changes.replaced],
    },
    unfit: [...first.unfit, ...second.unfit],
  };
}

async function commitBlank(
  sql: Sql,
  row: LedgerRow,
  reason: string,
): Promise<{ readonly changes: RowChanges; readonly unfit: readonly UnfitRow[] }> {
  const { id, orgId, costNanos } = row.event;
  const changes = await commitRows(sql, [{ ...row, event: blankEvent(id, orgId, costNanos) }]);
  return { changes, unfit: [{ row, reason }] };
}
