import { createHmac, type KeyObject } from 'node:crypto';
import { Secret } from '#libs/platform/secret.js';
import type { DocumentBody, RegistryDocument } from '#libs/registry/index.js';
import type { AlertEvent } from './alert.js';
import { SECRET_PREFIX } from './signature.js';

/** What the registry keeps of a webhook. Its secret is nowhere: it follows from the cluster's pepper. */
export interface WebhookBody extends DocumentBody {
  readonly url: string;
  /** What it is told; empty: everything. */
  readonly events: readonly AlertEvent[];
  /** False: it is told nothing. */
  readonly enabled: boolean;
  /** Makes the secret of this document differ from that of any other. */
  readonly salt: string;
}

/** The document's body; only this library writes documents of kind `webhook`. */
export function webhookBody(document: RegistryDocument): WebhookBody {
  return document.body as WebhookBody;
}

/** A webhook as the audit log shows it. A path may be a credential. */
export function auditWebhook(document: RegistryDocument): unknown {
  const { url, events, enabled } = webhookBody(document);
  return { name: document.name, origin: new URL(url).origin, events, enabled };
}

/**
 * The secret under which messages to a webhook are signed. Every process of the cluster can work it out, and neither
 * database, mirror nor backup of the registry contains it.
 */
export function secretOf(pepper: KeyObject, document: RegistryDocument): Secret {
  const name = JSON.stringify([document.orgId, document.id, webhookBody(document).salt]);
  return new Secret(SECRET_PREFIX + createHmac('sha256', pepper).update(name).digest('base64'));
}
