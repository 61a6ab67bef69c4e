import { systemClock, type Clock } from '#libs/platform/clock.js';
import type { EntraSettings } from '#libs/platform/config.js';
import { BearerCredential } from '../bearer-credential.js';
import type { FetchToken } from '../credential.js';
import { ExpiringValue } from '../expiring.js';
import { readToken } from '../read-token.js';

/** Tokens of an application by its secret (OAuth 2.0 client credentials at Microsoft Entra ID). */
export function entraCredential(
  settings: EntraSettings,
  defaultScope: string,
  fetchToken: FetchToken,
  clock: Clock = systemClock,
): BearerCredential {
  const question = {
    url: `${settings.authority}/${settings.tenantId}/oauth2/v2.0/token`,
    form: {
      grant_type: 'client_credentials',
      client_id: settings.clientId,
      client_secret: settings.clientSecret.reveal(),
      scope: settings.scope ?? defaultScope,
    },
  };
  return new BearerCredential(new ExpiringValue(async () => readToken(await fetchToken(question), clock.now()), clock));
}
