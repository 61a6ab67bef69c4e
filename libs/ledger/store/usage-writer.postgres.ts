import type { DataSource } from 'typeorm';
import { idTimeMs, idUuid } from '#libs/platform/ids.js';
import type { TablePartitions } from '#libs/stores/index.js';
import { rollUp, ROLLUP_FACTS } from '../rollups/rollup-sql.js';
import type { UsageEvent } from '../usage-event.js';
import { USAGE_COLUMNS, type UsageColumn } from './usage-columns.js';
import type { InsertResult, UsageState, UsageWriter } from './usage-ledger.js';

const NAMES = Object.keys(USAGE_COLUMNS).join(', ');
const TYPED = Object.entries(USAGE_COLUMNS)
  .map(([name, type]) => `${name} ${type}`)
  .join(', ');

const EVENTS = `event AS (SELECT * FROM json_to_recordset($1::json) AS event (${TYPED}))`;
const FACTS = ROLLUP_FACTS.join(', ');
const factsOf = (alias: string): string => ROLLUP_FACTS.map((name) => `${alias}.${name}`).join(', ');

// One parameter for any number of rows; what is new is what comes back, and what the roll-ups grow by.
const INSERT = `
  WITH ${EVENTS},
  added AS (
    INSERT INTO usage_events (${NAMES}, state)
    SELECT ${NAMES}, $2 FROM event
    ON CONFLICT (ts, id) DO NOTHING
    RETURNING ${FACTS}),
  ${rollUp('added')}
  SELECT count(*)::int AS n FROM added`;

// `unknown` gets its true end once, and the roll-ups move by the difference.
const CHANGES = Object.keys(USAGE_COLUMNS)
  .filter((name) => !['ts', 'id', 'org_id'].includes(name))
  .map((name) => `${name} = event.${name}`)
  .join(', ');
const REPLACE = `
  WITH ${EVENTS},
  old AS (
    SELECT l.id, ${factsOf('l')} FROM usage_events l JOIN event USING (ts, id)
    WHERE l.state = 'unknown' ORDER BY l.ts, l.id FOR UPDATE OF l),
  changed AS (
    UPDATE usage_events l SET ${CHANGES}, state = 'settled' FROM old JOIN event USING (ts, id)
    WHERE l.ts = old.ts AND l.id = old.id
    RETURNING ${factsOf('l')}),
  ${rollUp('changed', 'old')}
  SELECT count(*)::int AS n FROM changed`;

/**
 * Writes usage events as rows of `usage_events`, and their roll-ups in the same statement: a batch is there with its sums or
 * not at all.
 */
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

  async insert(events: readonly UsageEvent[], state: UsageState = 'settled'): Promise<InsertResult> {
    if (events.length === 0) return { inserted: 0, replaced: 0, refused: [] };
    const times = events.map((event) => timeOf(event).getTime()).sort((a, b) => a - b);
    await this.#partitions.ensure(times[0] as number, times.at(-1) as number);
    try {
      const json = JSON.stringify(lastOfEach(events).map(toStored));
      const inserted = await this.#run(INSERT, [json, state]);
      const isKnown = state === 'settled' && inserted < events.length;
      return { inserted, replaced: isKnown ? await this.#run(REPLACE, [json]) : 0, refused: [] };
    } catch (error) {
      if (!isFaultOfTheData(error)) throw error;
      const [only] = events;
      if (events.length === 1 && only !== undefined) {
        return { inserted: 0, replaced: 0, refused: [{ event: only, reason: String((error as Error).message) }] };
      }
      return this.#insertHalves(events, state);
    }
  }

  async #run(text: string, values: readonly unknown[]): Promise<number> {
    const rows = (await this.#source.query(text, [...values])) as { n: number }[];
    return rows[0]?.n ?? 0;
  }

  /** Finds the row at fault without holding up its neighbours. */
  async #insertHalves(events: readonly UsageEvent[], state: UsageState): Promise<InsertResult> {
    const middle = events.length >> 1;
    const first = await this.insert(events.slice(0, middle), state);
    const second = await this.insert(events.slice(middle), state);
    return {
      inserted: first.inserted + second.inserted,
      replaced: first.replaced + second.replaced,
      refused: [...first.refused, ...second.refused],
    };
  }
}

/** One statement must meet a row once. */
function lastOfEach(events: readonly UsageEvent[]): UsageEvent[] {
  return [...new Map(events.map((event) => [event.id, event])).values()];
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
    trace_id: event.traceId,
  };
}
