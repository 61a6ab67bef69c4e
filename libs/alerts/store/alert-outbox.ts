import type { Alert, AlertEvent, AlertKind, StoredAlert } from '../alert.js';

/** Where a webhook is and what it wants, as the outbox needs it. */
export interface Subscriber {
  readonly orgId: string;
  readonly id: string;
  /** Empty: all. */
  readonly events: readonly AlertEvent[];
}

/** An attempt that is to be made now, by whoever claimed it. */
export interface ClaimedDelivery {
  readonly alert: StoredAlert;
  readonly webhookId: string;
  /** 1 for the first. */
  readonly attempt: number;
}

/** How an attempt ended. `retry`: once more, not before `afterMs` have passed. */
export type DeliveryEnd =
  | { readonly state: 'delivered'; readonly status: number }
  | {
      readonly state: 'failed' | 'dropped' | 'retry';
      readonly afterMs?: number;
      readonly status: number | null;
      readonly error: string;
    };

/** `pending`: on its way. `failed`: given up. `dropped`: never to be sent (too many waiting, or the webhook is gone). */
export const DELIVERY_STATES = ['pending', 'delivered', 'failed', 'dropped'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** A delivery as the API shows it. */
export interface DeliveryView {
  readonly alertId: string;
  readonly kind: AlertKind;
  readonly subject: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly triedAtMs: number | null;
  /** When it is tried again at the earliest; `null` when it is over. */
  readonly nextAtMs: number | null;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
}

export interface OutboxPage<T> {
  /** Newest first. */
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

/** A page of deliveries; `state`: only those. */
export interface DeliveryQuery {
  readonly limit: number;
  readonly cursor?: string | undefined;
  readonly state?: DeliveryState | undefined;
}

/**
 * Alerts on their way, durable: what was added is delivered at least once to every webhook that wanted it, whichever process
 * dies. Rejects when the store is away.
 */
export interface AlertOutbox {
  /** Keeps alerts that were not told before. @returns how many are new */
  add(alerts: readonly Alert[]): Promise<number>;
  /** Addresses new alerts to the webhooks that want them. @returns how many alerts were new */
  fanOut(subscribers: () => Promise<readonly Subscriber[]>): Promise<number>;
  /** Due deliveries for the caller alone until `leaseMs` have passed: none for a webhook that somebody is sending to. */
  claim(leaseMs: number, most: number): Promise<readonly ClaimedDelivery[]>;
  /** Books the end of a claimed attempt. After a failure everything else for that webhook waits too, half a minute at most. */
  settle(delivery: ClaimedDelivery, end: DeliveryEnd): Promise<void>;
  /** Forgets what is long over. */
  sweep(): Promise<void>;
  /** @throws AppError `invalid_request` for a malformed cursor */
  alerts(orgId: string, limit: number, cursor: string | undefined): Promise<OutboxPage<StoredAlert>>;
  /** @throws AppError `invalid_request` for a malformed cursor */
  deliveries(orgId: string, webhookId: string, page: DeliveryQuery): Promise<OutboxPage<DeliveryView>>;
}
