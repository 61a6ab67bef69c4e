import type { UsageEvent } from '../usage-event.js';

/**
 * How far a row can be trusted (KEY-6). `settled`: the call is over and booked. `unknown`: booked at its bound, later
 * replaced. `slice`: money of a process whose disk is lost.
 */
export type UsageState = 'settled' | 'unknown' | 'slice';

/** One row of the ledger. */
export interface UsageRow extends Omit<UsageEvent, 'costNanos' | 'error'> {
  readonly timeMs: number;
  readonly state: UsageState;
  readonly error: string | null;
  /** As booked when the call was over; budgets were charged with it. */
  readonly costNanos: bigint;
  /** The cost at today's knowledge of prices, where a `recost` found another one; what was booked stays beside it. */
  readonly recost: { readonly costNanos: bigint; readonly priceVersion: string | null; readonly atMs: number } | null;
  /** How the cache took part: `none` when it was not asked. */
  readonly cache: string;
}

/** What a list of calls may be narrowed by; every given filter must hold. */
export interface UsageFilter {
  /** Inclusive. */
  readonly fromMs?: number;
  /** Exclusive. */
  readonly toMs?: number;
  /** Model as requested or as served. */
  readonly model?: string;
  readonly provider?: string;
  readonly keyId?: string;
  readonly keyName?: string;
  readonly team?: string;
  readonly user?: string;
  readonly app?: string;
  /** Inclusive range of the status the caller got. */
  readonly status?: readonly [number, number];
  readonly route?: string;
  readonly error?: string;
}

export interface UsageQuery extends UsageFilter {
  readonly orgId: string;
  /** 1 … 200. */
  readonly limit: number;
  readonly cursor?: string;
}

export interface UsagePage {
  /** Newest first. */
  readonly rows: readonly UsageRow[];
  readonly nextCursor: string | null;
}

/** The reading side of the ledger, for the log. */
export interface UsageLog {
  /** @throws AppError `invalid_request` for a malformed cursor, `store_unavailable` when the store is away */
  page(query: UsageQuery): Promise<UsagePage>;
  /** @throws AppError `invalid_request` for a malformed id, `store_unavailable` when the store is away */
  get(orgId: string, id: string): Promise<UsageRow | null>;
}
