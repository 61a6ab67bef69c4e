import { createHmac } from 'node:crypto';
import type { Secret } from '#libs/platform/secret.js';

/** What secrets begin with; the rest is the HMAC key in base64. */
export const SECRET_PREFIX = 'whsec_';

/**
 * The headers that identify and sign a message, as Standard Webhooks 1.0 has them: HMAC-SHA-256 over `<id>.<time>.<body>`.
 * The time is signed too, so that a receiver can refuse old messages; the id is the same for every attempt, so that it can
 * tell copies. Any library of that specification verifies them.
 */
export function signatureHeaders(
  secret: Secret,
  { id, atMs, body }: { readonly id: string; readonly atMs: number; readonly body: string },
): Readonly<Record<string, string>> {
  const seconds = String(Math.floor(atMs / 1000));
  const key = Buffer.from(secret.reveal().slice(SECRET_PREFIX.length), 'base64');
  const mac = createHmac('sha256', key).update(`${id}.${seconds}.`).update(body, 'utf8').digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': seconds, 'webhook-signature': `v1,${mac}` };
}
