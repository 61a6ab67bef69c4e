/** What spend can be told apart by. */
export const SPEND_DIMENSIONS = ['team', 'user', 'app', 'key', 'model', 'provider', 'tag', 'day'] as const;
export type SpendDimension = (typeof SPEND_DIMENSIONS)[number];

/** A stretch of time cut into days of a zone. Both edges lie on a quarter of an hour in UTC. */
export interface SpendRange {
  readonly fromMs: number;
  /** Exclusive. */
  readonly toMs: number;
  readonly timeZone: string;
}

/** Every given filter must hold. `key`: id or name. */
export type SpendFilter = { readonly [Name in Exclude<SpendDimension, 'day'>]?: string };

export interface SpendQuery extends SpendRange, SpendFilter {
  readonly orgId: string;
  /** One or two, different. */
  readonly groupBy: readonly SpendDimension[];
  /** `cost`: the dearest first. `group`: by the groups' names, days in order. */
  readonly sort: 'cost' | 'group';
  /** Rows of a page, at least 1. */
  readonly limit: number;
  readonly cursor?: string;
}

/** Sums over calls. A token count is exact up to 2^53, money always. */
export interface SpendSums {
  readonly calls: number;
  /** Ended in an error of ours or the provider's. */
  readonly failedCalls: number;
  /** Had usage but no price: they cost something that is not in `costNanos`. */
  readonly unpricedCalls: number;
  /** Booked at their bound until the true cost is known. */
  readonly unknownCalls: number;
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly costNanos: bigint;
}

/** One group. */
export interface SpendRow extends SpendSums {
  /** Value of each dimension of `groupBy`, in its order; '' for calls that have none. A key by its id. */
  readonly groups: readonly string[];
  /** Name of the key, where keys are grouped by. */
  readonly keyName: string | null;
}

export interface SpendPage {
  readonly rows: readonly SpendRow[];
  /** Of all groups together, each call once, also where its tags put it into several groups. */
  readonly totals: SpendSums;
  readonly nextCursor: string | null;
}

/** Spend of everything that can be told apart on one day. */
export interface DailySpend extends SpendSums {
  /** `2026-11-21` in the range's zone, with its edges in ms since 1970. */
  readonly day: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly team: string;
  readonly user: string;
  readonly app: string;
  readonly keyId: string;
  readonly keyName: string;
  readonly provider: string;
  readonly model: string;
  readonly tags: readonly string[];
}

/** Reports from the roll-ups. */
export interface SpendReports {
  /** @throws AppError `invalid_request` for a cursor that is not of this list, `store_unavailable` when the store is away */
  page(query: SpendQuery): Promise<SpendPage>;
  /** All sums of a range, at most `limit` of them. @throws AppError `store_unavailable` when the store is away */
  daily(query: SpendRange & SpendFilter & { readonly orgId: string; readonly limit: number }): Promise<DailySpend[]>;
}
