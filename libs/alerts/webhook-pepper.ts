import { createSecretKey, type KeyObject } from 'node:crypto';
import { clusterSecret } from '#libs/stores/index.js';

/** What the secrets of webhooks follow from, equal in the whole cluster; made by the first instance that asks. */
export async function readWebhookPepper(postgres: Parameters<typeof clusterSecret>[0]): Promise<KeyObject> {
  return createSecretKey(await clusterSecret(postgres, 'webhook-pepper'));
}
