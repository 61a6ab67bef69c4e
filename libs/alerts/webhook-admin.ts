import { randomBytes, type KeyObject } from 'node:crypto';
import { pageById, type Page } from '#libs/http/index.js';
import type { Clock } from '#libs/platform/clock.js';
import type { EgressPolicy } from '#libs/platform/egress.js';
import { AppError } from '#libs/platform/errors.js';
import { newId } from '#libs/platform/ids.js';
import type { Secret } from '#libs/platform/secret.js';
import type {
  AuditedChange,
  AuditOrigin,
  RegistryDocument,
  RegistryFeed,
  RegistryWriter,
} from '#libs/registry/index.js';
import { newAlertUuid } from './alert.js';
import type { AlertOutbox, DeliveryState, DeliveryView, OutboxPage } from './store/alert-outbox.js';
import { testAlert } from './texts.js';
import { auditWebhook, secretOf, webhookBody, type WebhookBody } from './webhook-document.js';
import { faultOfWebhookUrl } from './webhook-url.js';

/** What an admin sets of a webhook. */
export interface WebhookSettings extends Pick<WebhookBody, 'url' | 'events' | 'enabled'> {
  readonly name: string;
}

/** A webhook as the API shows it. */
export interface WebhookView extends WebhookSettings {
  readonly id: string;
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** Which webhook, as its caller last saw it. */
export interface WebhookRef {
  readonly orgId: string;
  readonly id: string;
  /** `null`: whatever is there. */
  readonly expectedVersion: number | null;
}

export interface WebhookAdminParts {
  readonly writer: RegistryWriter;
  readonly feed: RegistryFeed;
  readonly outbox: AlertOutbox;
  /** Asked anew for each address. */
  readonly policy: () => EgressPolicy;
  readonly pepper: KeyObject;
  readonly clock: Clock;
}

/** Each alert is sent to every one that wants it. */
const MAX_WEBHOOKS = 100;

/** The use cases of `/api/webhooks` (KEY-7). */
export class WebhookAdmin {
  constructor(private readonly parts: WebhookAdminParts) {}

  /** Makes a webhook. The secret is in the answer and can be had nowhere else. */
  async create(
    orgId: string,
    { name, ...settings }: WebhookSettings,
    origin: AuditOrigin,
  ): Promise<{ readonly view: WebhookView; readonly secret: Secret }> {
    const { writer, feed, pepper } = this.parts;
    if (feed.current().count('webhook') >= MAX_WEBHOOKS) {
      throw new AppError('conflict', { text: `There are ${MAX_WEBHOOKS} webhooks already.` });
    }
    this.#checkUrl(settings.url);
    const body: WebhookBody = { ...settings, salt: randomBytes(16).toString('base64url') };
    const ref = { orgId, kind: 'webhook', id: newId('hook') } as const;
    const document = await writer.create(ref, { name, body }, audited('webhook.create', origin));
    return { view: viewOf(document), secret: secretOf(pepper, document) };
  }

  /** Newest first. */
  list(orgId: string, limit: number, cursor: string | undefined): Page<WebhookView> {
    const own = [...this.parts.feed.current().all('webhook')].filter((document) => document.orgId === orgId);
    const { items, nextCursor } = pageById(own, limit, cursor, 'hook');
    return { items: items.map(viewOf), nextCursor };
  }

  get(orgId: string, id: string): WebhookView {
    const document = this.parts.feed.current().get(orgId, 'webhook', id);
    if (document === null) throw new AppError('not_found', { text: 'There is no such webhook.' });
    return viewOf(document);
  }

  /** Changes what is given in `changes`; the secret stays the same. */
  async update(
    { orgId, id, expectedVersion }: WebhookRef,
    { name, ...changes }: Partial<WebhookSettings>,
    origin: AuditOrigin,
  ): Promise<WebhookView> {
    if (changes.url !== undefined) this.#checkUrl(changes.url);
    const document = await this.parts.writer.update(
      { orgId, kind: 'webhook', id },
      expectedVersion,
      (current) => ({ name: name ?? current.name, body: { ...webhookBody(current), ...changes } }),
      audited('webhook.update', origin),
    );
    return viewOf(document);
  }

  /** What waits for it is dropped. */
  async remove({ orgId, id, expectedVersion }: WebhookRef, origin: AuditOrigin): Promise<void> {
    const ref = { orgId, kind: 'webhook', id } as const;
    await this.parts.writer.remove(ref, expectedVersion, audited('webhook.delete', origin));
  }

  /** Asks for a test message to one webhook; the worker sends it like any other. */
  async test(orgId: string, id: string): Promise<void> {
    if (!this.get(orgId, id).enabled) {
      throw new AppError('conflict', { text: 'The webhook is switched off: set "enabled" first.' });
    }
    await this.parts.outbox.add([testAlert(orgId, id, newAlertUuid(), this.parts.clock.now())]);
  }

  /** Newest first; also of a webhook that was deleted, as long as they are kept. */
  deliveries(
    orgId: string,
    id: string,
    page: { readonly limit: number; readonly cursor?: string | undefined; readonly state?: DeliveryState | undefined },
  ): Promise<OutboxPage<DeliveryView>> {
    return this.parts.outbox.deliveries(orgId, id, page);
  }

  #checkUrl(url: string): void {
    const message = faultOfWebhookUrl(url, this.parts.policy());
    if (message === null) return;
    throw new AppError('invalid_request', {
      text: `"url" ${message}.`,
      param: 'url',
      faults: [{ path: 'url', message }],
    });
  }
}

function viewOf(document: RegistryDocument): WebhookView {
  const { id, name, version, createdAtMs, updatedAtMs } = document;
  const { url, events, enabled } = webhookBody(document);
  return { id, name, url, events, enabled, version, createdAtMs, updatedAtMs };
}

function audited(action: string, origin: AuditOrigin): AuditedChange {
  return { action, origin, view: auditWebhook };
}
