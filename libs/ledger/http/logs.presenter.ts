import { idTimeMs } from '#libs/platform/ids.js';
import { nanosToUsd } from '../cost-usd.js';
import type { UsageFilter, UsageRow } from '../store/usage-ledger.js';
import type { LogItemDto } from './log-item.dto.js';
import type { ListLogsDto } from './logs.dto.js';

export function toLogItem(row: UsageRow): LogItemDto {
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
    user: row.user,
    app: row.app,
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
    serviceTier: usage?.details?.serviceTier ?? null,
    costUsd: nanosToUsd(row.recost?.costNanos ?? row.costNanos),
    priceVersion: row.recost === null ? row.priceVersion : row.recost.priceVersion,
    costEstimates: row.costEstimates,
    bookedCostUsd: row.recost === null ? null : nanosToUsd(row.costNanos),
    bookedPriceVersion: row.recost === null ? null : row.priceVersion,
    latencyMs: row.latencyMs,
    firstByteMs: row.firstByteMs,
    attempts: row.attempts,
    chain: row.chain,
    requestId: row.requestId,
    cache: row.cache,
    traceId: row.traceId,
  };
}

/** What a validated query asks the ledger for. */
export function toFilter(query: ListLogsDto): UsageFilter {
  return {
    ...(query.from === undefined ? {} : { fromMs: Date.parse(query.from) }),
    ...(query.to === undefined ? {} : { toMs: Date.parse(query.to) }),
    ...(query.model === undefined ? {} : { model: query.model }),
    ...(query.provider === undefined ? {} : { provider: query.provider }),
    ...(query.key === undefined ? {} : isKeyId(query.key) ? { keyId: query.key } : { keyName: query.key }),
    ...(query.team === undefined ? {} : { team: query.team }),
    ...(query.user === undefined ? {} : { user: query.user }),
    ...(query.app === undefined ? {} : { app: query.app }),
    ...(query.status === undefined ? {} : { status: toStatusRange(query.status) }),
    ...(query.route === undefined ? {} : { route: query.route }),
    ...(query.error === undefined ? {} : { error: query.error }),
  };
}

/** Ids of created keys, and of those declared in the file. A key may be *named* almost anything. */
function isKeyId(text: string): boolean {
  return text.startsWith('key_file_') || (text.startsWith('key_') && idTimeMs(text) !== null);
}

function toStatusRange(status: string): readonly [number, number] {
  const first = Number(status.replace('xx', '00'));
  return status.endsWith('xx') ? [first, first + 99] : [first, first];
}
