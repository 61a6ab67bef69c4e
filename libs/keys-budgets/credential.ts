import { createHmac, randomBytes, type KeyObject } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { Secret } from '#libs/platform/secret.js';

/**
 * Prefixes by which a credential's kind, and secret scanners, recognise it: virtual key, API token, one-time admin link,
 * browser session.
 */
export type CredentialPrefix = 'sk-sf-' | 'sf_admin_' | 'sf_admin_link_' | 'sf_admin_session_';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const ID_LENGTH = 8;
const RANDOM_LENGTH = 43; // 256 bits
const CHECKSUM_LENGTH = 6; // 62^6 > 2^32
const BODY = /^[0-9A-Za-z]{57}$/;

/** Characters of the alphabet, each equally likely: bytes from 248 on would favour the first eight and are dropped. */
function randomText(length: number): string {
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length - text.length + 8)) {
      if (byte < 248 && text.length < length) text += ALPHABET[byte % 62];
    }
  }
  return text;
}

function checksum(text: string): string {
  let rest = crc32(text);
  let digits = '';
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    digits = (ALPHABET[rest % 62] as string) + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}

/** A new credential: prefix, 8 public characters, 43 random ones, 6 of checksum (CRC-32 of all before it, base 62). */
export function makeCredential(prefix: CredentialPrefix): { readonly secret: Secret; readonly publicId: string } {
  const publicId = randomText(ID_LENGTH);
  const head = prefix + publicId + randomText(RANDOM_LENGTH);
  return { secret: new Secret(head + checksum(head)), publicId };
}

/** Whether a text has the form of a credential and its checksum fits: a typo fails here, without any look-up. */
export function isWellFormed(prefix: CredentialPrefix, text: string): boolean {
  if (text.length !== prefix.length + ID_LENGTH + RANDOM_LENGTH + CHECKSUM_LENGTH) return false;
  if (!text.startsWith(prefix) || !BODY.test(text.slice(prefix.length))) return false;
  return checksum(text.slice(0, -CHECKSUM_LENGTH)) === text.slice(-CHECKSUM_LENGTH);
}

/**
 * What is stored of a credential and looked up: HMAC-SHA-256 in base64url. The keys are random, so no slow hash is needed;
 * without the pepper a stored digest cannot be compared with anything, and timing of the look-up tells nothing.
 */
export function digestOf(pepper: KeyObject, text: string): string {
  return createHmac('sha256', pepper).update(text).digest('base64url');
}
