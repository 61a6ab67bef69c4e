import type { StreamEntry } from '../store/entry-stream.js';
import { parseLedgerRow, type LedgerRow } from './ledger-row.js';

/** What one process shipped at once: rows, and how much of its spool that covers. */
export interface RowBatch {
  readonly processId: string;
  /** Offsets in its spool. */
  readonly from: number;
  readonly to: number;
  readonly rows: readonly LedgerRow[];
}

export interface Refused {
  readonly payload: string;
  readonly reason: string;
}

/** Reads one stream entry (`ship.lua`). What cannot be read is refused by itself; the rest of the entry counts. */
export function parseRowBatch(entry: StreamEntry): {
  readonly batch: RowBatch | null;
  readonly refused: readonly Refused[];
} {
  const text = (name: string): string => entry.fields.get(name)?.toString() ?? '';
  const [processId, from, to] = [text('p'), Number(text('f')), Number(text('t'))];
  if (processId === '' || ![from, to].every((n) => Number.isSafeInteger(n) && n >= 0)) {
    const payload = JSON.stringify([...entry.fields].map(([name, value]) => [name, value.toString()]));
    return { batch: null, refused: [{ payload, reason: 'not a batch of rows' }] };
  }
  const rows: LedgerRow[] = [];
  const refused: Refused[] = [];
  for (const json of text('r').split('\n')) {
    if (json === '') continue;
    const parsed = parseLedgerRow(json);
    if ('refused' in parsed) refused.push({ payload: json, reason: parsed.refused });
    else if (parsed.row !== null) rows.push(parsed.row);
  }
  return { batch: { processId, from, to, rows }, refused };
}
