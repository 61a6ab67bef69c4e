import { createHmac, type KeyObject } from 'node:crypto';
import { Secret } from '#libs/platform/secret.js';
import type { DocumentBody, RegistryDocument } from '#libs/registry/index.js';
import type { AlertKind } from './alert.js';

/** What the registry keeps of a webhook. Its secret is nowhere: it follows from the cluster's pepper. */
export interface WebhookBody extends DocumentBody {
  readonly url: string;
  /** Kinds of alerts it gets; empty: all. */
  readonly kinds: readonly AlertKind[];
  /** Makes the secret of this document differ from that of any other. */
  readonly salt: string;
}

/** The document's body; only this library writes documents of kind `webhook`. */
export function webhookBody(document: RegistryDocument): WebhookBody {
  return document.body as WebhookBody;
}

/** A webhook as the audit log shows it. A path may be a credential. */
export function auditWebhook(document: RegistryDocument): unknown {
  const { url, kinds } = webhookBody(document);
  return { name: document.name, origin: new URL(url).origin, kinds };
}

/**
 * The secret under which messages to a webhook are signed. Every process of the cluster can work it out, and neither
 * database, mirror nor backup of the registry contains it.
 */
export function secretOf(pepper: KeyObject, document: RegistryDocument): Secret {
  const name = JSON.stringify([document.orgId, document.id, webhookBody(document).salt]);
  return new Secret(`whsec_${createHmac('sha256', pepper).update(name).digest('base64url')}`);
}
