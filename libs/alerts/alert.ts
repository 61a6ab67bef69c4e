import { uuidv7 } from '#libs/platform/ids.js';

/** What a webhook may want to be told. */
export const ALERT_EVENTS = [
  'budget.threshold',
  'budget.refused',
  'budget.exhausted',
  'model.unpriced',
  'store.down',
] as const;
export type AlertEvent = (typeof ALERT_EVENTS)[number];
/** Test messages go to the webhook they were asked for, whatever it wants. */
export type AlertKind = AlertEvent | 'webhook.test';

/** Something somebody should know, fit for an e-mail as it is. */
export interface Alert {
  readonly orgId: string;
  readonly kind: AlertKind;
  readonly atMs: number;
  /** The same thing has the same text here and is told once, however many processes notice it. */
  readonly dedupeKey: string;
  /** One line. */
  readonly subject: string;
  /** Plain text. */
  readonly text: string;
  /** For machines; documented per kind in `docs/webhooks.md`. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Only this webhook gets it; absent: all that want its kind. */
  readonly onlyWebhook?: string;
}

/** An alert as it is kept: the id stays the same through all attempts to deliver it. */
export interface StoredAlert extends Omit<Alert, 'dedupeKey' | 'onlyWebhook'> {
  /** `evt_` + UUIDv7. */
  readonly id: string;
}

/** A bare UUID for a new alert. */
export function newAlertUuid(): string {
  return uuidv7();
}

/** The body that a webhook gets, of the form that Standard Webhooks recommends (`type`, `timestamp`, `data`). */
export function alertBody({ id, kind, atMs, orgId, subject, text, data }: StoredAlert): string {
  return JSON.stringify({ id, type: kind, timestamp: new Date(atMs).toISOString(), org: orgId, subject, text, data });
}
