import type { UsageDetails } from '#libs/dialects/index.js';
import type { UsageEvent } from '../usage-event.js';
import { RECOST_COLUMNS, USAGE_COLUMNS } from './usage-columns.js';
import type { UsageRow, UsageState } from './usage-ledger.js';

/** The columns of a whole row of `usage_events`, for a SELECT. */
export const READ = ['state', 'cache', ...Object.keys(USAGE_COLUMNS), ...RECOST_COLUMNS].join(', ');

/** A row as `pg` gives it: bigint as text. */
export interface StoredRow {
  readonly ts: Date;
  readonly id: string;
  readonly state: UsageState;
  readonly org_id: string;
  readonly key_id: string;
  readonly key_name: string;
  readonly team: string | null;
  readonly owner_user: string | null;
  readonly owner_app: string | null;
  readonly tags: string[];
  readonly route: string;
  readonly dialect: string;
  readonly provider: string;
  readonly model_requested: string;
  readonly model: string;
  readonly stream: boolean;
  readonly status: number;
  readonly upstream_status: number | null;
  readonly error: string | null;
  readonly usage_source: UsageEvent['usageSource'];
  readonly input_tokens: string | null;
  readonly cached_input_tokens: string | null;
  readonly cache_write_5m_tokens: string | null;
  readonly cache_write_1h_tokens: string | null;
  readonly output_tokens: string | null;
  readonly reasoning_tokens: string | null;
  readonly web_search_requests: string | null;
  readonly usage_details: UsageDetails | null;
  readonly usage_raw: string | null;
  readonly cost_nanos: string;
  readonly price_version: string | null;
  readonly cost_estimates: string[] | null;
  readonly recost_nanos: string | null;
  readonly recost_version: string | null;
  readonly recost_at: Date | null;
  readonly latency_ms: number;
  readonly first_byte_ms: number | null;
  readonly attempts: number;
  readonly chain: string | null;
  readonly request_id: string | null;
  readonly cache: string;
  readonly trace_id: string | null;
}

/** A stored row in the ledger's own terms. */
export function toRow(row: StoredRow): UsageRow {
  return {
    id: `req_${row.id}`,
    timeMs: row.ts.getTime(),
    state: row.state,
    orgId: row.org_id,
    keyId: row.key_id,
    keyName: row.key_name,
    team: row.team,
    user: row.owner_user,
    app: row.owner_app,
    tags: row.tags,
    route: row.route,
    dialect: row.dialect,
    provider: row.provider,
    modelRequested: row.model_requested,
    model: row.model,
    stream: row.stream,
    status: row.status,
    upstreamStatus: row.upstream_status,
    error: row.error,
    usage: toUsage(row),
    usageSource: row.usage_source,
    costNanos: BigInt(row.cost_nanos),
    priceVersion: row.price_version,
    costEstimates: row.cost_estimates ?? [],
    recost: toRecost(row),
    latencyMs: row.latency_ms,
    firstByteMs: row.first_byte_ms,
    attempts: row.attempts,
    chain: row.chain,
    requestId: row.request_id,
    cache: row.cache,
    traceId: row.trace_id,
  };
}

function toRecost(row: StoredRow): UsageRow['recost'] {
  if (row.recost_nanos === null || row.recost_at === null) return null;
  return { costNanos: BigInt(row.recost_nanos), priceVersion: row.recost_version, atMs: row.recost_at.getTime() };
}

function toUsage(row: StoredRow): UsageEvent['usage'] {
  if (row.usage_raw === null) return null;
  return {
    inputTokens: Number(row.input_tokens),
    cachedInputTokens: Number(row.cached_input_tokens),
    cacheWrite5mTokens: Number(row.cache_write_5m_tokens),
    cacheWrite1hTokens: Number(row.cache_write_1h_tokens),
    outputTokens: Number(row.output_tokens),
    reasoningTokens: Number(row.reasoning_tokens),
    webSearchRequests: Number(row.web_search_requests),
    details: row.usage_details,
    raw: row.usage_raw,
  };
}
