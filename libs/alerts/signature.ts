import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Secret } from '#libs/platform/secret.js';

/** Header that carries the signature: `t=<seconds since 1970>,v1=<hex>`. */
export const SIGNATURE_HEADER = 'smartflow-signature';

/**
 * The signature of a message: HMAC-SHA-256 over `<t>.<body>` under the webhook's secret, as hex. The time is signed too, so
 * that a receiver can refuse old messages.
 */
export function sign(secret: Secret, body: string, atMs: number): string {
  const seconds = Math.floor(atMs / 1000);
  return `t=${seconds},v1=${macOf(secret, seconds, body)}`;
}

/** What a receiver does: true for a signature of this body, made less than `toleranceMs` away from `nowMs`. */
export function isSignatureOf(
  secret: Secret,
  body: string,
  header: string,
  nowMs: number,
  toleranceMs = 300_000,
): boolean {
  const match = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header);
  if (match === null) return false;
  const seconds = Number(match[1]);
  if (Math.abs(nowMs - seconds * 1000) > toleranceMs) return false;
  return timingSafeEqual(Buffer.from(match[2] as string), Buffer.from(macOf(secret, seconds, body)));
}

function macOf(secret: Secret, seconds: number, body: string): string {
  return createHmac('sha256', secret.reveal()).update(`${seconds}.`).update(body, 'utf8').digest('hex');
}
