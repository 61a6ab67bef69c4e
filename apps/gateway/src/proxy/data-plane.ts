import type { Limiter } from '#libs/keys-budgets/index.js';
import type { BodySink } from '#libs/ledger/index.js';
import type { PriceTable } from '#libs/pricing/index.js';
import type { Logger } from '#libs/platform/logger.js';
import type { ResponseOwners, Router } from '#libs/routing/index.js';
import type { ActiveCalls } from './active-calls.js';
import type { BudgetSets, CallBudgets } from './call-budgets.js';
import type { DrainRoom } from './client-gone.js';
import type { HeldBytes } from './held-bytes.js';
import type { ProxyMetrics } from './proxy-metrics.js';
import type { Snapshot } from './snapshot.js';
import type { AlertSink } from './tell-refusal.js';
import type { UnpricedCalls } from './unpriced-calls.js';
import type { UpstreamPools } from './upstream-pools.js';

/** What the stages work with, put together once at start. Only what is not `readonly` ever changes. */
export interface DataPlane {
  /** Replaced as a whole when configuration or registry change. */
  snapshot: Snapshot;
  /** The process is about to end: answers say `connection: close`. */
  draining: boolean;
  /** No store has confirmed the registry for longer than its grace: keys may have been revoked without our knowing. */
  isBlind(): boolean;
  readonly pools: UpstreamPools;
  /** Money of calls, and their rows. */
  readonly budgets: CallBudgets;
  readonly budgetSets: BudgetSets;
  readonly alerts: AlertSink;
  /** `null`: bodies are not archived. */
  bodies: BodySink | null;
  /** Answers being captured for the archive: beyond the bound a call's bodies are not archived. */
  readonly heldCaptures: HeldBytes;
  /** Largest request body. */
  readonly bodyLimitBytes: number;
  /** Large request bodies of the calls under way: beyond the bound new ones are refused (`overloaded`). */
  readonly heldBodies: HeldBytes;
  readonly limiter: Limiter;
  readonly prices: PriceTable;
  readonly router: Router;
  /** Who made which stored answer of the Responses API. */
  readonly responses: ResponseOwners;
  readonly unpriced: UnpricedCalls;
  readonly active: ActiveCalls;
  readonly drains: DrainRoom;
  readonly metrics: ProxyMetrics;
  readonly log: Logger;
}

/** Nest token of the `DataPlane`. */
export const DATA_PLANE = Symbol('DATA_PLANE');
