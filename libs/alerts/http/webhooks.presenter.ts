import { roleAllows, type Role } from '#libs/http/index.js';
import type { StoredAlert } from '../alert.js';
import type { DeliveryView } from '../store/alert-outbox.js';
import type { WebhookView } from '../webhook-admin.js';
import type { AlertDto, DeliveryDto, WebhookDto } from './webhooks.dto.js';

const instant = (ms: number): string => new Date(ms).toISOString();

/** The path of an address may be a credential: who cannot change it sees where it leads, no more. */
export function toWebhookDto({ id, name, url, events, enabled, ...view }: WebhookView, role: Role): WebhookDto {
  return {
    id,
    name,
    url: roleAllows(role, 'webhooks:write') ? url : `${new URL(url).origin}/…`,
    events,
    enabled,
    created_at: instant(view.createdAtMs),
    updated_at: instant(view.updatedAtMs),
    version: view.version,
  };
}

export function toDeliveryDto({ alertId, kind, subject, state, attempts, ...view }: DeliveryView): DeliveryDto {
  const { triedAtMs, nextAtMs, lastStatus, lastError } = view;
  return {
    id: alertId,
    event: kind,
    subject,
    state,
    attempts,
    tried_at: triedAtMs === null ? null : instant(triedAtMs),
    next_at: nextAtMs === null ? null : instant(nextAtMs),
    status: lastStatus,
    error: lastError,
  };
}

export function toAlertDto({ id, kind, atMs, subject, text, data }: StoredAlert): AlertDto {
  return { id, event: kind, time: instant(atMs), subject, text, data };
}
