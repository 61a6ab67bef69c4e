import { idTimeMs } from '#libs/platform/ids.js';
import { parseUsageEvent } from '../parse-usage-event.js';
import type { UsageEvent } from '../usage-event.js';

/** A call, or the booked slice of a process whose disk is lost, with what it is charged to. */
export interface LedgerRow {
  readonly state: 'settled' | 'unknown' | 'slice';
  readonly processId: string;
  /** What was set aside for it. */
  readonly boundNanos: number;
  /** Budget fields `<budget>|<period>`. */
  readonly budgets: readonly string[];
  /** `costNanos` is the amount booked: the cost, or the bound where the cost is unknown. */
  readonly event: UsageEvent;
}

interface RowText {
  readonly i: string;
  readonly o: string;
  readonly p: string;
  readonly s: string;
  readonly e: number;
  readonly c: number;
  readonly b: readonly string[];
  readonly u: unknown;
}

/** What a draft or a broken event leaves open. */
const BLANK: Omit<UsageEvent, 'id' | 'orgId' | 'costNanos'> = {
  keyId: '',
  keyName: '',
  team: null,
  user: null,
  app: null,
  tags: [],
  route: '',
  dialect: '',
  provider: '',
  modelRequested: '',
  model: '',
  stream: false,
  status: 0,
  upstreamStatus: null,
  error: null,
  usage: null,
  usageSource: 'none',
  priceVersion: null,
  costEstimates: [],
  latencyMs: 0,
  firstByteMs: null,
  attempts: 0,
  chain: null,
  requestId: null,
  traceId: null,
};

/** An event about which nothing is known but its money. */
export function blankEvent(id: string, orgId: string, costNanos: number): UsageEvent {
  return { ...BLANK, id, orgId, costNanos };
}

/** `null` for a row that says nothing was sent (`void`). */
export type ParsedRow =
  { readonly row: LedgerRow | null; readonly problem: string | null } | { readonly refused: string };

const isNanos = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
const isText = (text: unknown): text is string => typeof text === 'string' && text !== '' && !text.includes('\0');

/**
 * Reads a row as the spool and the stream carry it. Its money counts even where its description cannot be read (`problem`
 * then says why, and the description is left blank); it is refused only when id or amounts are none.
 */
export function parseLedgerRow(json: string): ParsedRow {
  let text: Partial<RowText> | null;
  try {
    text = JSON.parse(json) as Partial<RowText> | null;
  } catch {
    return { refused: 'not JSON' };
  }
  const { i: id, o: orgId, p: processId, s: state, e: boundNanos, c: costNanos, b: budgets, u } = text ?? {};
  if (state === 'void') return { row: null, problem: null };
  if (!isText(id) || idTimeMs(id) === null) return { refused: 'not a request id' };
  if (!isText(orgId) || !isText(processId)) return { refused: 'no organisation or process' };
  if (state !== 'settled' && state !== 'unknown') return { refused: 'not a state' };
  if (!isNanos(boundNanos) || !isNanos(costNanos)) return { refused: 'not an amount' };
  if (!Array.isArray(budgets) || !budgets.every(isText)) return { refused: 'not a list of budgets' };
  const described = parseUsageEvent({ ...BLANK, ...(u as object), id, orgId, costNanos });
  const event = 'event' in described ? described.event : blankEvent(id, orgId, costNanos);
  return {
    row: { state, processId, boundNanos, budgets: [...new Set(budgets)], event },
    problem: 'event' in described ? null : described.reason,
  };
}

/** One row per call: the last word wins, and a known cost wins over an unknown one. */
export function lastWords(rows: Iterable<LedgerRow>): LedgerRow[] {
  const byId = new Map<string, LedgerRow>();
  for (const row of rows) {
    if (row.state !== 'unknown' || byId.get(row.event.id)?.state !== 'settled') byId.set(row.event.id, row);
  }
  return [...byId.values()];
}
