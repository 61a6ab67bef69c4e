import type { BodySink, UsageSink } from '#libs/ledger/index.js';
import type { PriceTable } from '#libs/pricing/index.js';
import type { Logger } from '#libs/platform/logger.js';
import type { ActiveCalls } from './active-calls.js';
import type { ProxyMetrics } from './proxy-metrics.js';
import type { Snapshot } from './snapshot.js';
import type { UnpricedCalls } from './unpriced-calls.js';
import type { UpstreamPools } from './upstream-pools.js';

/** What the stages work with, put together once at start. Only `snapshot` and `draining` ever change. */
export interface DataPlane {
  /** Replaced as a whole when configuration or registry change. */
  snapshot: Snapshot;
  /** The process is about to end: answers say `connection: close`. */
  draining: boolean;
  /** No store has confirmed the registry for longer than its grace: keys may have been revoked without our knowing. */
  isBlind(): boolean;
  readonly pools: UpstreamPools;
  readonly usage: UsageSink;
  /** `null`: bodies are not archived. */
  bodies: BodySink | null;
  readonly prices: PriceTable;
  readonly unpriced: UnpricedCalls;
  readonly active: ActiveCalls;
  readonly metrics: ProxyMetrics;
  readonly log: Logger;
}

/** Nest token of the `DataPlane`. */
export const DATA_PLANE = Symbol('DATA_PLANE');
