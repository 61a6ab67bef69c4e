import type { DataSource } from 'typeorm';
import { idTimeMs, idUuid } from '#libs/platform/ids.js';
import type { TablePartitions } from '#libs/stores/index.js';
import type { UsageEvent } from '../usage-event.js';
import { USAGE_COLUMNS, type UsageColumn } from './usage-columns.js';
import type { InsertResult, UsageWriter } from './usage-ledger.js';

const NAMES = Object.keys(USAGE_COLUMNS).join(', ');
const TYPED = Object.entries(USAGE_COLUMNS)
  .map(([name, type]) => `${name} ${type}`)
  .join(', ');

// One parameter for any number of rows; what is new is what comes back.
const INSERT = `
  WITH added AS (
    INSERT INTO usage_events (${NAMES})
    SELECT ${NAMES} FROM json_to_recordset($1::json) AS event (${TYPED})
    ON CONFLICT (ts, id) DO NOTHING
    RETURNING 1)
  SELECT count(*)::int AS added FROM added`;

/** Writes usage events as rows of `usage_events`: one statement, one transaction for a batch. */
export class PostgresUsageWriter implements UsageWriter {
  readonly #source: DataSource;
  readonly #partitions: TablePartitions;

  /**
   * @param source connected as the table's owner
   * @param partitions daily ones of `usage_events`
   */
  constructor(source: DataSource, partitions: TablePartitions) {
    this.#source = source;
    this.#partitions = partitions;
  }

  async insert(events: readonly UsageEvent[]): Promise<InsertResult> {
    if (events.length === 0) return { inserted: 0, refused: [] };
    const times = events.map((event) => timeOf(event).getTime()).sort((a, b) => a - b);
    await this.#partitions.ensure(times[0] as number, times.at(-1) as number);
    try {
      const rows = (await this.#source.query(INSERT, [JSON.stringify(events.map(toStored))])) as { added: number }[];
      return { inserted: rows[0]?.added ?? 0, refused: [] };
    } catch (error) {
      if (!isFaultOfTheData(error)) throw error;
      const [only] = events;
      if (events.length === 1 && only !== undefined) {
        return { inserted: 0, refused: [{ event: only, reason: String((error as Error).message) }] };
      }
      return this.#insertHalves(events);
    }
  }

  /** Finds the row at fault without holding up its neighbours. */
  async #insertHalves(events: readonly UsageEvent[]): Promise<InsertResult> {
    const middle = events.length >> 1;
    const first = await this.insert(events.slice(0, middle));
    const second = await this.insert(events.slice(middle));
    return { inserted: first.inserted + second.inserted, refused: [...first.refused, ...second.refused] };
  }
}

/** SQLSTATE classes 22 (data exception) and 54 (limit exceeded): the same row fails again however often it is sent. */
function isFaultOfTheData(error: unknown): boolean {
  const code = (error as { code?: unknown; driverError?: { code?: unknown } }).driverError?.code;
  return typeof code === 'string' && /^(22|54)/.test(code);
}

/** The time inside an event's id, which was checked when it was read. */
function timeOf(event: UsageEvent): Date {
  return new Date(idTimeMs(event.id) ?? NaN);
}

function toStored(event: UsageEvent): Record<UsageColumn, unknown> {
  const { usage } = event;
  return {
    ts: timeOf(event).toISOString(),
    id: idUuid(event.id),
    org_id: event.orgId,
    key_id: event.keyId,
    key_name: event.keyName,
    team: event.team,
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
    trace_id: event.traceId,
  };
}
