import type { DataSource } from 'typeorm';
import { AppError } from '#libs/platform/errors.js';
import { newAlertUuid, type Alert, type AlertKind, type StoredAlert } from '../alert.js';
import type {
  AlertOutbox,
  ClaimedDelivery,
  DeliveryEnd,
  DeliveryQuery,
  DeliveryState,
  DeliveryView,
  OutboxPage,
  Subscriber,
} from './alert-outbox.js';

/** What may wait for one webhook: the newest beyond it are kept as alerts but not sent. */
const MOST_PENDING = 10_000;
const MOST_AT_ONCE = 200;
/** A webhook that failed is left alone for so long with other messages, unless the failed one is due sooner. */
const LONGEST_REST_MS = 30_000;
/** Deliveries are history after this; alerts are kept longer, as they say what was told already. */
const KEEP_DELIVERIES = '30 days';
const KEEP_ALERTS = '400 days';

interface AlertRow {
  readonly id: string;
  readonly org_id: string;
  readonly kind: AlertKind;
  readonly at: Date;
  readonly subject: string;
  readonly body: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const ALERT = 'e.id, e.org_id, e.kind, e.at, e.subject, e.body, e.data';

/** The outbox in PostgreSQL (migration 0006). Times are the server's, so that clocks of processes do not matter. */
export class PostgresAlertOutbox implements AlertOutbox {
  constructor(
    private readonly source: Pick<DataSource, 'query'>,
    private readonly mostPending: number = MOST_PENDING,
  ) {}

  async add(alerts: readonly Alert[]): Promise<number> {
    if (alerts.length === 0) return 0;
    const rows = alerts.map((alert) => ({
      id: newAlertUuid(),
      org_id: alert.orgId,
      at: new Date(alert.atMs).toISOString(),
      kind: alert.kind,
      dedupe_key: alert.dedupeKey,
      subject: alert.subject,
      body: alert.text,
      data: alert.data,
      only_webhook: alert.onlyWebhook ?? null,
    }));
    const added = await this.#rows<{ id: string }>(
      `INSERT INTO alert_events (id, org_id, at, kind, dedupe_key, subject, body, data, only_webhook)
       SELECT id, org_id, at, kind, dedupe_key, subject, body, data, only_webhook FROM json_to_recordset($1::json) AS alert (
         id uuid, org_id text, at timestamptz, kind text, dedupe_key text, subject text, body text, data jsonb, only_webhook text)
       ORDER BY org_id, dedupe_key
       ON CONFLICT (org_id, dedupe_key) DO NOTHING RETURNING id`,
      [JSON.stringify(rows).replaceAll('\\u0000', '')],
    );
    return added.length;
  }

  async fanOut(subscribers: () => Promise<readonly Subscriber[]>): Promise<number> {
    const [waiting] = await this.#rows(`SELECT 1 FROM alert_events WHERE NOT fanned_out LIMIT 1`);
    if (waiting === undefined) return 0;
    const hooks = (await subscribers()).map(({ orgId, id, events }) => ({ org_id: orgId, id, kinds: events }));
    const done = await this.#rows(
      `WITH waiting AS (
         SELECT id, org_id, kind, only_webhook FROM alert_events WHERE NOT fanned_out ORDER BY id LIMIT ${MOST_AT_ONCE}
         FOR UPDATE SKIP LOCKED),
       hook AS (
         SELECT h.*, (SELECT count(*) FROM alert_deliveries d
                      WHERE d.org_id = h.org_id AND d.webhook_id = h.id AND d.state = 'pending') >= $2 AS is_full
         FROM json_to_recordset($1::json) AS h (org_id text, id text, kinds text[])),
       sent AS (
         INSERT INTO alert_deliveries (event_id, org_id, webhook_id, state, last_error)
         SELECT w.id, w.org_id, h.id, CASE WHEN h.is_full THEN 'dropped' ELSE 'pending' END,
           CASE WHEN h.is_full THEN 'too many messages wait for this webhook' END
         FROM waiting w JOIN hook h ON h.org_id = w.org_id
         WHERE CASE WHEN w.only_webhook IS NULL THEN cardinality(h.kinds) = 0 OR w.kind = ANY(h.kinds)
                    ELSE w.only_webhook = h.id END
         ON CONFLICT DO NOTHING)
       UPDATE alert_events e SET fanned_out = true FROM waiting w WHERE e.id = w.id RETURNING e.id`,
      [JSON.stringify(hooks), this.mostPending],
    );
    return done.length;
  }

  async claim(leaseMs: number, most: number): Promise<readonly ClaimedDelivery[]> {
    const rows = await this.#rows<AlertRow & { webhook_id: string; attempts: number }>(
      `WITH heads AS (
         SELECT DISTINCT ON (p.org_id, p.webhook_id) p.event_id, p.webhook_id FROM alert_deliveries p
         WHERE p.state = 'pending' AND p.next_at <= now() AND NOT EXISTS (
           SELECT 1 FROM alert_deliveries busy WHERE busy.org_id = p.org_id AND busy.webhook_id = p.webhook_id
             AND busy.state = 'pending' AND busy.leased_until > now())
         ORDER BY p.org_id, p.webhook_id, p.next_at, p.event_id),
       taken AS (
         SELECT d.event_id, d.webhook_id FROM alert_deliveries d JOIN heads USING (event_id, webhook_id)
         WHERE d.state = 'pending' AND d.next_at <= now() AND (d.leased_until IS NULL OR d.leased_until <= now())
         ORDER BY 1, 2 LIMIT $2 FOR UPDATE OF d SKIP LOCKED),
       leased AS (
         UPDATE alert_deliveries d
         SET attempts = d.attempts + 1, tried_at = now(), leased_until = now() + $1 * interval '1 millisecond'
         FROM taken WHERE d.event_id = taken.event_id AND d.webhook_id = taken.webhook_id
         RETURNING d.event_id, d.webhook_id, d.attempts)
       SELECT ${ALERT}, leased.webhook_id, leased.attempts FROM leased JOIN alert_events e ON e.id = leased.event_id`,
      [leaseMs, most],
    );
    return rows.map((row) => ({ alert: toAlert(row), webhookId: row.webhook_id, attempt: row.attempts }));
  }

  async settle({ alert, webhookId, attempt }: ClaimedDelivery, end: DeliveryEnd): Promise<void> {
    const state: DeliveryState = end.state === 'retry' ? 'pending' : end.state;
    const error = end.state === 'delivered' ? null : end.error.slice(0, 500);
    const afterMs = end.state === 'retry' ? (end.afterMs ?? 0) : 0;
    // A failure that is told after its lease says nothing about the attempt that somebody else makes by then.
    await this.#rows(
      `UPDATE alert_deliveries
       SET state = $3, last_status = $4, last_error = $5, next_at = now() + $6 * interval '1 millisecond', leased_until = NULL
       WHERE event_id = $1 AND webhook_id = $2 AND state = 'pending' AND ($3 = 'delivered' OR attempts = $7)`,
      [uuidOf(alert.id), webhookId, state, end.status, error, afterMs, attempt],
    );
    if (end.state !== 'retry') return;
    await this.#rows(
      `UPDATE alert_deliveries SET next_at = now() + $3 * interval '1 millisecond'
       WHERE org_id = $1 AND webhook_id = $2 AND state = 'pending' AND next_at < now() + $3 * interval '1 millisecond'`,
      [alert.orgId, webhookId, Math.min(afterMs, LONGEST_REST_MS)],
    );
  }

  async sweep(): Promise<void> {
    await this.#rows(
      `DELETE FROM alert_deliveries d USING alert_events e
       WHERE e.id = d.event_id AND d.state <> 'pending' AND e.at < now() - interval '${KEEP_DELIVERIES}'`,
    );
    // What was told about a budget for all time is not told again.
    await this.#rows(
      `DELETE FROM alert_events e WHERE fanned_out AND at < now() - interval '${KEEP_ALERTS}'
         AND data->>'period' IS DISTINCT FROM 'lifetime'`,
    );
  }

  async alerts(orgId: string, limit: number, cursor: string | undefined): Promise<OutboxPage<StoredAlert>> {
    const rows = await this.#rows<AlertRow>(
      `SELECT ${ALERT} FROM alert_events e WHERE e.org_id = $1 AND e.id < $2 ORDER BY e.id DESC LIMIT $3`,
      [orgId, decodeCursor(cursor), limit + 1],
    );
    return page(rows, limit, ({ id }) => id, toAlert);
  }

  async deliveries(
    orgId: string,
    webhookId: string,
    { limit, cursor, state }: DeliveryQuery,
  ): Promise<OutboxPage<DeliveryView>> {
    const rows = await this.#rows<DeliveryRow>(
      `SELECT d.event_id, e.kind, e.subject, d.state, d.attempts, d.tried_at, d.next_at, d.last_status, d.last_error
       FROM alert_deliveries d JOIN alert_events e ON e.id = d.event_id
       WHERE d.org_id = $1 AND d.webhook_id = $2 AND d.event_id < $3 AND ($5::text IS NULL OR d.state = $5)
       ORDER BY d.event_id DESC LIMIT $4`,
      [orgId, webhookId, decodeCursor(cursor), limit + 1, state ?? null],
    );
    return page(rows, limit, ({ event_id }) => event_id, toDelivery);
  }

  /** TypeORM answers `[rows, count]` to an UPDATE or DELETE, and rows to all else. */
  async #rows<Row = unknown>(text: string, values: unknown[] = []): Promise<Row[]> {
    try {
      const answer = (await this.source.query(text, values)) as unknown[];
      const isPair = answer.length === 2 && Array.isArray(answer[0]) && typeof answer[1] === 'number';
      return (isPair ? answer[0] : answer) as Row[];
    } catch (error) {
      throw new AppError('store_unavailable', { text: 'Alerts cannot be read or written right now.', cause: error });
    }
  }
}

interface DeliveryRow {
  readonly event_id: string;
  readonly kind: AlertKind;
  readonly subject: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly tried_at: Date | null;
  readonly next_at: Date;
  readonly last_status: number | null;
  readonly last_error: string | null;
}

function page<Row, Item>(
  rows: readonly Row[],
  limit: number,
  idOf: (row: Row) => string,
  toItem: (row: Row) => Item,
): OutboxPage<Item> {
  const kept = rows.slice(0, limit);
  const last = kept.at(-1);
  return {
    items: kept.map(toItem),
    nextCursor: rows.length > limit && last !== undefined ? Buffer.from(idOf(last)).toString('base64url') : null,
  };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const AFTER_ALL = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

function decodeCursor(cursor: string | undefined): string {
  if (cursor === undefined) return AFTER_ALL;
  const uuid = Buffer.from(cursor, 'base64url').toString('latin1');
  if (!UUID.test(uuid)) {
    throw new AppError('invalid_request', { text: '"cursor" is not one of ours.', param: 'cursor' });
  }
  return uuid;
}

const uuidOf = (alertId: string): string => alertId.slice('evt_'.length);

function toAlert({ id, org_id, kind, at, subject, body, data }: AlertRow): StoredAlert {
  return { id: `evt_${id}`, orgId: org_id, kind, atMs: at.getTime(), subject, text: body, data };
}

function toDelivery(row: DeliveryRow): DeliveryView {
  return {
    alertId: `evt_${row.event_id}`,
    kind: row.kind,
    subject: row.subject,
    state: row.state,
    attempts: row.attempts,
    triedAtMs: row.tried_at?.getTime() ?? null,
    nextAtMs: row.state === 'pending' ? row.next_at.getTime() : null,
    lastStatus: row.last_status,
    lastError: row.last_error,
  };
}
