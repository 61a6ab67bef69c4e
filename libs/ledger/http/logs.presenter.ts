import { nanosToUsd } from '../cost-usd.js';
import type { UsageFilter, UsageRow } from '../store/usage-ledger.js';
import type { ListLogsQuery } from './logs.dto.js';

/** One call as the API shows it (CFG-5). Token counts are `null` when the provider reported none. */
export interface LogItem {
  readonly id: string;
  readonly time: string;
  /** `settled`, `unknown` (booked at its bound) or `slice`. */
  readonly state: string;
  readonly route: string;
  readonly dialect: string;
  readonly status: number;
  readonly upstreamStatus: number | null;
  readonly error: string | null;
  readonly provider: string;
  readonly model: string;
  readonly modelRequested: string;
  /** Name of the virtual key. */
  readonly key: string;
  readonly keyId: string;
  readonly team: string | null;
  readonly tags: readonly string[];
  readonly stream: boolean;
  readonly inputTokens: number | null;
  readonly cachedInputTokens: number | null;
  readonly cacheWrite5mTokens: number | null;
  readonly cacheWrite1hTokens: number | null;
  readonly outputTokens: number | null;
  readonly reasoningTokens: number | null;
  readonly webSearchRequests: number | null;
  readonly usageSource: string;
  /** Decimal string, exact. */
  readonly costUsd: string;
  readonly priceVersion: string | null;
  readonly latencyMs: number;
  readonly firstByteMs: number | null;
  readonly attempts: number;
  readonly cache: string;
  readonly traceId: string | null;
}

export function toLogItem(row: UsageRow): LogItem {
  const { usage } = row;
  return {
    id: row.id,
    time: new Date(row.timeMs).toISOString(),
    state: row.state,
    route: row.route,
    dialect: row.dialect,
    status: row.status,
    upstreamStatus: row.upstreamStatus,
    error: row.error,
    provider: row.provider,
    model: row.model,
    modelRequested: row.modelRequested,
    key: row.keyName,
    keyId: row.keyId,
    team: row.team,
    tags: row.tags,
    stream: row.stream,
    inputTokens: usage?.inputTokens ?? null,
    cachedInputTokens: usage?.cachedInputTokens ?? null,
    cacheWrite5mTokens: usage?.cacheWrite5mTokens ?? null,
    cacheWrite1hTokens: usage?.cacheWrite1hTokens ?? null,
    outputTokens: usage?.outputTokens ?? null,
    reasoningTokens: usage?.reasoningTokens ?? null,
    webSearchRequests: usage?.webSearchRequests ?? null,
    usageSource: row.usageSource,
    costUsd: nanosToUsd(row.costNanos),
    priceVersion: row.priceVersion,
    latencyMs: row.latencyMs,
    firstByteMs: row.firstByteMs,
    attempts: row.attempts,
    cache: row.cache,
    traceId: row.traceId,
  };
}

/** What a validated query asks the ledger for. */
export function toFilter(query: ListLogsQuery): UsageFilter {
  return {
    ...(query.from === undefined ? {} : { fromMs: Date.parse(query.from) }),
    ...(query.to === undefined ? {} : { toMs: Date.parse(query.to) }),
    ...(query.model === undefined ? {} : { model: query.model }),
    ...(query.provider === undefined ? {} : { provider: query.provider }),
    ...(query.key === undefined ? {} : query.key.startsWith('key_') ? { keyId: query.key } : { keyName: query.key }),
    ...(query.team === undefined ? {} : { team: query.team }),
    ...(query.status === undefined ? {} : { status: toStatusRange(query.status) }),
    ...(query.route === undefined ? {} : { route: query.route }),
    ...(query.error === undefined ? {} : { error: query.error }),
  };
}

function toStatusRange(status: string): readonly [number, number] {
  const first = Number(status.replace('xx', '00'));
  return status.endsWith('xx') ? [first, first + 99] : [first, first];
}
