import type { StreamEntry } from '../store/entry-stream.js';
import { parseLedgerRow, type LedgerRow } from './ledger-row.js';

/** What one process shipped at once: rows, how much of its spool that covers, and its ceilings for the mirror. */
export interface RowBatch {
  readonly processId: string;
  /** Offsets in its spool. */
  readonly from: number;
  readonly to: number;
  readonly rows: readonly LedgerRow[];
  readonly ceilings: readonly Ceiling[];
}

export interface Ceiling {
  readonly orgId: string;
  readonly processId: string;
  readonly budget: string;
  readonly nanos: number;
  readonly seq: number;
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
  const [processId, from, to, seq] = [text('p'), Number(text('f')), Number(text('t')), Number(text('q'))];
  if (processId === '' || ![from, to, seq].every((n) => Number.isSafeInteger(n) && n >= 0)) {
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
  const ceilings = text('c')
    .split('\n')
    .map((line) => line.split('\t'))
    .filter((parts) => parts.length === 3 && Number.isSafeInteger(Number(parts[2])))
    .map(([orgId, budget, nanos]) => ({ orgId, processId, budget, nanos: Number(nanos), seq }) as Ceiling);
  return { batch: { processId, from, to, rows, ceilings }, refused };
}
