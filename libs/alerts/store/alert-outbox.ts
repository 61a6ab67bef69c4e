import type { Alert, AlertKind, StoredAlert } from '../alert.js';

/** Where a webhook is and what it wants, as the outbox needs it. */
export interface Subscriber {
  readonly orgId: string;
  readonly id: string;
  /** Empty: all kinds. */
  readonly kinds: readonly AlertKind[];
}

/** An attempt that is to be made now, by whoever claimed it. */
export interface ClaimedDelivery {
  readonly alert: StoredAlert;
  readonly webhookId: string;
  /** 1 for the first. */
  readonly attempt: number;
}

/** How an attempt ended. `retry`: once more, not before `afterMs`. */
export type DeliveryEnd =
  | { readonly state: 'delivered'; readonly status: number }
  | {
      readonly state: 'failed' | 'dropped' | 'retry';
      readonly afterMs?: number;
      readonly status: number | null;
      readonly error: string;
    };

/** `pending`: on its way. `failed`: given up. `dropped`: never to be sent (too many waiting, or the webhook is gone). */
export type DeliveryState = 'pending' | 'delivered' | 'failed' | 'dropped';

/** A delivery as the API shows it. */
export interface DeliveryView {
  readonly alertId: string;
  readonly kind: AlertKind;
  readonly subject: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly triedAtMs: number | null;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
}

export interface OutboxPage<T> {
  /** Newest first. */
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

/** What runs statements; inside a transaction of the caller, what is written there is written with it. */
export interface OutboxSql {
  query(text: string, values?: unknown[]): Promise<unknown>;
}

/**
 * Alerts on their way, durable: what was added is delivered at least once to every webhook that wanted it, whichever process
 * dies. Rejects when the store is away.
 */
export interface AlertOutbox {
  /** Keeps alerts that were not told before. @returns how many are new */
  add(alerts: readonly Alert[], sql?: OutboxSql): Promise<number>;
  /** Addresses new alerts to the webhooks that want them. @returns how many alerts were new */
  fanOut(subscribers: () => Promise<readonly Subscriber[]>): Promise<number>;
  /** Due deliveries, at most one per webhook, for the caller alone until `leaseMs` have passed. */
  claim(leaseMs: number): Promise<readonly ClaimedDelivery[]>;
  /** Books the end of a claimed attempt. After a failure everything else for that webhook waits as long. */
  settle(delivery: ClaimedDelivery, end: DeliveryEnd): Promise<void>;
  /** Forgets what is long over. */
  sweep(): Promise<void>;
  /** @throws AppError `invalid_request` for a malformed cursor */
  alerts(orgId: string, limit: number, cursor?: string): Promise<OutboxPage<StoredAlert>>;
  /** @throws AppError `invalid_request` for a malformed cursor */
  deliveries(orgId: string, webhookId: string, limit: number, cursor?: string): Promise<OutboxPage<DeliveryView>>;
}
