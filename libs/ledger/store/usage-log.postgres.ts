import type { Pool, QueryConfig, QueryResult } from 'pg';
import type { DataSource } from 'typeorm';
import type { UsageDetails } from '#libs/dialects/index.js';
import { AppError } from '#libs/platform/errors.js';
import { idTimeMs, idUuid } from '#libs/platform/ids.js';
import { decodeCursor, encodeCursor, type Keyset } from '../keyset-cursor.js';
import type { UsageEvent } from '../usage-event.js';
import { RECOST_COLUMNS, USAGE_COLUMNS } from './usage-columns.js';
import type { UsageFilter, UsageLog, UsagePage, UsageQuery, UsageRow, UsageState } from './usage-ledger.js';

const DAY_MS = 86_400_000;
/** A page is looked for in ever longer spans back from its end, so that a full one reads few partitions. */
const SPANS_MS = [DAY_MS, 8 * DAY_MS, 60 * DAY_MS, Infinity];
/** Rows of gateways whose clock is ahead are shown too. */
const AHEAD_MS = DAY_MS;
const LAST_UUID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
const QUERY_MS = 10_000;

/** Filter → its condition; `?` stands for the parameter. */
const CONDITIONS = {
  model: '(model = ? OR model_requested = ?)',
  provider: 'provider = ?',
  keyId: 'key_id = ?',
  keyName: 'key_name = ?',
  team: 'team = ?',
  route: 'route = ?',
  error: 'error = ?',
} as const satisfies Partial<Record<keyof UsageFilter, string>>;
const READ = ['state', 'cache', ...Object.keys(USAGE_COLUMNS), ...RECOST_COLUMNS].join(', ');

interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

/**
 * The log read from `usage_events`. Every statement has a name, so PostgreSQL plans it once per connection, and a lower
 * time bound, so it opens only the partitions it needs.
 */
export class PostgresUsageLog implements UsageLog {
  readonly #pool: Pool;

  constructor(source: DataSource) {
    // TypeORM names no statements; its driver's pool does.
    this.#pool = (source.driver as unknown as { readonly master: Pool }).master;
  }

  async page(query: UsageQuery): Promise<UsagePage> {
    const after = query.cursor === undefined ? null : decodeCursor(query.cursor);
    const endMs = Math.min(query.toMs ?? Infinity, after === null ? Date.now() + AHEAD_MS : after.timeMs + 1);
    const floorMs = Math.max(query.fromMs ?? 0, 0);
    const rows: UsageRow[] = [];
    let untilMs = endMs;
    for (const span of SPANS_MS) {
      const fromMs = Math.max(floorMs, endMs - span);
      if (fromMs >= untilMs) continue;
      const found = await this.#run(listing(query, { fromMs, untilMs, after, limit: query.limit + 1 - rows.length }));
      rows.push(...found);
      if (rows.length > query.limit) break;
      untilMs = fromMs;
    }
    const kept = rows.slice(0, query.limit);
    return { rows: kept, nextCursor: rows.length > query.limit ? encodeCursor((kept.at(-1) as UsageRow).id) : null };
  }

  async get(orgId: string, id: string): Promise<UsageRow | null> {
    const timeMs = idTimeMs(id);
    if (timeMs === null || !id.startsWith('req_')) {
      throw new AppError('invalid_request', { text: 'The id is malformed.', param: 'id' });
    }
    const rows = await this.#run({
      name: 'usage_get',
      text: `SELECT ${READ} FROM usage_events WHERE ts = $1 AND id = $2 AND org_id = $3`,
      values: [new Date(timeMs), idUuid(id), orgId],
    });
    return rows[0] ?? null;
  }

  async #run({ name, text, values }: Statement): Promise<UsageRow[]> {
    const config: QueryConfig & { query_timeout: number } = {
      name,
      text,
      values: [...values],
      query_timeout: QUERY_MS,
    };
    try {
      const result: QueryResult<StoredRow> = await this.#pool.query(config);
      return result.rows.map(toRow);
    } catch (error) {
      throw new AppError('store_unavailable', { text: 'The log cannot be read right now.', cause: error });
    }
  }
}

interface Window {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly after: Keyset | null;
  readonly limit: number;
}

/** The statement of one page: its text depends only on which filters are used. */
function listing(query: UsageQuery, { fromMs, untilMs, after, limit }: Window): Statement {
  const last = after === null ? [new Date(untilMs), LAST_UUID] : [new Date(after.timeMs), idUuid(after.id)];
  const values: unknown[] = [query.orgId, new Date(fromMs), new Date(untilMs), ...last, limit];
  const conditions: string[] = [];
  const names: string[] = [];
  for (const [filter, condition] of Object.entries(CONDITIONS)) {
    const value = query[filter as keyof typeof CONDITIONS];
    if (value === undefined) continue;
    values.push(value);
    conditions.push(`AND ${condition.replaceAll('?', `$${values.length}`)}`);
    names.push(filter);
  }
  if (query.status !== undefined) {
    values.push(...query.status);
    conditions.push(`AND status BETWEEN $${values.length - 1} AND $${values.length}`);
    names.push('status');
  }
  return {
    name: ['usage_page', ...names].join('_'),
    text: `SELECT ${READ} FROM usage_events
      WHERE org_id = $1 AND ts >= $2 AND ts < $3 AND (ts, id) < ($4::timestamptz, $5::uuid) ${conditions.join(' ')}
      ORDER BY ts DESC, id DESC LIMIT $6`,
    values,
  };
}

/** A row as `pg` gives it: bigint as text. */
interface StoredRow {
  readonly ts: Date;
  readonly id: string;
  readonly state: UsageState;
  readonly org_id: string;
  readonly key_id: string;
  readonly key_name: string;
  readonly team: string | null;
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
  readonly cache: string;
  readonly trace_id: string | null;
}

function toRow(row: StoredRow): UsageRow {
  return {
    id: `req_${row.id}`,
    timeMs: row.ts.getTime(),
    state: row.state,
    orgId: row.org_id,
    keyId: row.key_id,
    keyName: row.key_name,
    team: row.team,
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
