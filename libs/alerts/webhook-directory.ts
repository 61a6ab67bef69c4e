import type { KeyObject } from 'node:crypto';
import type { RegistryDocument } from '#libs/registry/index.js';
import type { WebhookDirectory, WebhookTarget } from './deliver-alerts.js';
import { secretOf, webhookBody } from './webhook-document.js';

/** The webhooks of the registry, read when they are needed: a deleted or switched-off one gets nothing more. */
export class RegistryWebhooks implements WebhookDirectory {
  constructor(
    /** Living documents of kind `webhook`, of every organisation. */
    private readonly read: () => Promise<Iterable<RegistryDocument>>,
    private readonly pepper: KeyObject,
  ) {}

  async targets(): Promise<readonly WebhookTarget[]> {
    return [...(await this.read())]
      .filter((document) => webhookBody(document).enabled)
      .map((document) => {
        const { url, events } = webhookBody(document);
        return { orgId: document.orgId, id: document.id, events, url, secret: secretOf(this.pepper, document) };
      });
  }
}
