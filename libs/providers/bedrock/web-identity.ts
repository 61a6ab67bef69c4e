import { open } from 'node:fs/promises';
import { systemClock, type Clock } from '#libs/platform/clock.js';
import type { AwsWebIdentity } from '#libs/platform/config.js';
import type { FetchToken } from '../credential.js';
import { ExpiringValue, type Expiring } from '../expiring.js';
import type { AwsKeyValue } from './signing-credential.js';

const MAX_IDENTITY_BYTES = 32 * 1024;

/**
 * Temporary keys of a role for an identity from a file, as EKS puts it there (AWS STS, AssumeRoleWithWebIdentity). The file
 * is read at each renewal, since whoever writes it renews it too.
 */
export function webIdentityKeys(
  settings: AwsWebIdentity,
  fetchToken: FetchToken,
  clock: Clock = systemClock,
): ExpiringValue<AwsKeyValue> {
  return new ExpiringValue(async () => {
    const identity = await readIdentity(settings.tokenFile);
    const answer = await fetchToken({
      url: `${settings.stsUrl}/`,
      form: {
        Action: 'AssumeRoleWithWebIdentity',
        Version: '2011-06-15',
        RoleArn: settings.roleArn,
        RoleSessionName: settings.sessionName,
        WebIdentityToken: identity,
      },
    });
    if (answer.status !== 200) throw new Error(`STS answered ${answer.status}${errorCode(answer.body)}`);
    return readKeys(answer.body);
  }, clock);
}

async function readIdentity(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAX_IDENTITY_BYTES), 0, MAX_IDENTITY_BYTES, 0);
    const identity = buffer.toString('utf8', 0, bytesRead).trim();
    if (identity === '') throw new Error('the web identity token file is empty');
    return identity;
  } finally {
    await handle.close();
  }
}

/** STS answers in XML; its values hold no markup. */
function element(xml: string, name: string): string {
  const value = new RegExp(`<${name}>([^<]+)</${name}>`).exec(xml)?.[1]?.trim();
  if (value === undefined || value === '') throw new Error(`the answer of STS has no ${name}`);
  return value;
}

function readKeys(xml: string): Expiring<AwsKeyValue> {
  const expiresAtMs = Date.parse(element(xml, 'Expiration'));
  if (!Number.isFinite(expiresAtMs)) throw new Error('the answer of STS has no date as Expiration');
  return {
    value: {
      accessKeyId: element(xml, 'AccessKeyId'),
      secretAccessKey: element(xml, 'SecretAccessKey'),
      sessionToken: element(xml, 'SessionToken'),
    },
    expiresAtMs,
  };
}

function errorCode(xml: string): string {
  const code = /<Code>([A-Za-z.]{1,64})<\/Code>/.exec(xml)?.[1];
  return code === undefined ? '' : ` (${code})`;
}
