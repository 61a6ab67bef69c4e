import { createPrivateKey, sign, type KeyObject } from 'node:crypto';
import { systemClock, type Clock } from '#libs/platform/clock.js';
import type { ServiceAccount } from '#libs/platform/config.js';
import { BearerCredential } from '../bearer-credential.js';
import type { FetchToken } from '../credential.js';
import { ExpiringValue } from '../expiring.js';
import { readToken } from '../read-token.js';

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
/** The longest Google accepts. */
const ASSERTION_LIFETIME_S = 3600;

/** Access tokens of a Google service account by a signed assertion (RFC 7523; Google, "Using OAuth 2.0 for server to server"). */
export function serviceAccountCredential(
  account: ServiceAccount,
  fetchToken: FetchToken,
  clock: Clock = systemClock,
): BearerCredential {
  const key = createPrivateKey(account.privateKey.reveal());
  return new BearerCredential(
    new ExpiringValue(async () => {
      const form = { grant_type: GRANT, assertion: assertionOf(account, key, clock.now()) };
      return readToken(await fetchToken({ url: account.tokenUrl, form }), clock.now());
    }, clock),
  );
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A JWT signed with RS256 (RFC 7515 §3.1, RFC 7518 §3.3). */
function assertionOf(account: ServiceAccount, key: KeyObject, nowMs: number): string {
  const iat = Math.floor(nowMs / 1000);
  const header = { alg: 'RS256', typ: 'JWT', ...(account.keyId === null ? {} : { kid: account.keyId }) };
  const claims = { iss: account.email, scope: SCOPE, aud: account.tokenUrl, iat, exp: iat + ASSERTION_LIFETIME_S };
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), key).toString('base64url')}`;
}
