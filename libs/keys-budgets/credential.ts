import { createHmac, randomBytes, type KeyObject } from 'node:crypto';
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

// CRC-32 (IEEE 802.3) by table. Own code and not node:zlib: a look-up of a key pays for this, and 63 steps in place cost a
// third of the call with its slices.
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});
const CODES = Uint8Array.from(ALPHABET, (char) => char.charCodeAt(0));
const IS_OF_ALPHABET: readonly boolean[] = Array.from({ length: 128 }, (_, code) => CODES.includes(code));

/** Checksum of the first `end` characters (all ASCII) as a number below 2^32. */
function crc(text: string, end: number): number {
  let value = -1;
  for (let i = 0; i < end; i++) value = (CRC_TABLE[(value ^ text.charCodeAt(i)) & 255] as number) ^ (value >>> 8);
  return (value ^ -1) >>> 0;
}

function checksum(text: string): string {
  let rest = crc(text, text.length);
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
  const { length } = text;
  if (length !== prefix.length + ID_LENGTH + RANDOM_LENGTH + CHECKSUM_LENGTH || !text.startsWith(prefix)) return false;
  for (let i = prefix.length; i < length; i++) if (IS_OF_ALPHABET[text.charCodeAt(i)] !== true) return false;
  let rest = crc(text, length - CHECKSUM_LENGTH);
  for (let i = length - 1; i >= length - CHECKSUM_LENGTH; i--) {
    if (text.charCodeAt(i) !== CODES[rest % 62]) return false;
    rest = Math.floor(rest / 62);
  }
  return true;
}

/**
 * What is stored of a credential and looked up: HMAC-SHA-256 in base64url. The keys are random, so no slow hash is needed;
 * without the pepper a stored digest cannot be compared with anything, and timing of the look-up tells nothing.
 */
export function digestOf(pepper: KeyObject, text: string): string {
  return createHmac('sha256', pepper).update(text).digest('base64url');
}
