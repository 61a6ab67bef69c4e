import { idTimeMs, idUuid } from '#libs/platform/ids.js';
import type { UsageEvent } from '../usage-event.js';
import type { UsageColumn } from './usage-columns.js';

/** The time inside an event's id, which was checked when it was read. */
function timeOf(event: UsageEvent): Date {
  return new Date(idTimeMs(event.id) ?? NaN);
}

/** An event as the row's columns. */
export function toStored(event: UsageEvent): Record<UsageColumn, unknown> {
  const { usage } = event;
  return {
    ts: timeOf(event).toISOString(),
    id: idUuid(event.id),
    org_id: event.orgId,
    key_id: event.keyId,
    key_name: event.keyName,
    team: event.team,
    owner_user: event.user,
    owner_app: event.app,
    tags: event.tags,
    route: event.route,
    dialect: event.dialect,
    provider: event.provider,
    model_requested: event.modelRequested,
    model: event.model,
    stream: event.stream,
    status: event.status,
    upstream_status: event.upstreamStatus,
    error: event.error,
    usage_source: event.usageSource,
    input_tokens: usage?.inputTokens,
    cached_input_tokens: usage?.cachedInputTokens,
    cache_write_5m_tokens: usage?.cacheWrite5mTokens,
    cache_write_1h_tokens: usage?.cacheWrite1hTokens,
    output_tokens: usage?.outputTokens,
    reasoning_tokens: usage?.reasoningTokens,
    web_search_requests: usage?.webSearchRequests,
    usage_details: usage?.details,
    usage_raw: usage?.raw,
    cost_nanos: event.costNanos,
    price_version: event.priceVersion,
    cost_estimates: event.costEstimates,
    latency_ms: event.latencyMs,
    first_byte_ms: event.firstByteMs,
    attempts: event.attempts,
    chain: event.chain,
    request_id: event.requestId,
    trace_id: event.traceId,
  };
}
