import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Secret } from '#libs/platform/secret.js';
import { entraCredential } from './azure/entra-credential.js';
import { webIdentityKeys } from './bedrock/web-identity.js';
import type { TokenAnswer, TokenQuestion } from './credential.js';
import { serviceAccountCredential } from './vertex/service-account.js';

const clock = { now: () => 1_700_000_000_500, monotonic: () => 0 };

function serviceThat(answer: TokenAnswer) {
  const asked: TokenQuestion[] = [];
  const fetchToken = async (question: TokenQuestion): Promise<TokenAnswer> => {
    asked.push(question);
    return answer;
  };
  return { asked, fetchToken };
}
const token = (value: string): TokenAnswer => ({
  status: 200,
  body: JSON.stringify({ access_token: value, expires_in: 3600 }),
});

it('LLM-5: Entra is asked by client credentials for the scope of the API, or the one configured', async () => {
  const settings = {
    tenantId: 't',
    clientId: 'c',
    clientSecret: new Secret('s'),
    authority: 'https://login.example',
    scope: null,
  };
  const { asked, fetchToken } = serviceThat(token('tok'));
  const credential = entraCredential(settings, 'https://ai.azure.com/.default', fetchToken, clock);
  expect([credential.isReady(), credential.headersFor(), credential.secrets()]).toEqual([false, [], []]);
  await credential.refresh();
  expect([credential.isReady(), credential.headersFor(), credential.secrets()]).toEqual([
    true,
    ['authorization', 'Bearer tok'],
    ['tok'],
  ]);
  await entraCredential({ ...settings, scope: 'own' }, 'x', fetchToken, clock).refresh();
  expect(asked).toEqual(
    ['https://ai.azure.com/.default', 'own'].map((scope) => ({
      url: 'https://login.example/t/oauth2/v2.0/token',
      form: { grant_type: 'client_credentials', client_id: 'c', client_secret: 's', scope },
    })),
  );
});

it('LLM-5: Google is asked with an assertion that its public key proves', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const account = {
    email: 'a@b',
    privateKey: new Secret(privateKey.export({ type: 'pkcs8', format: 'pem' }) as string),
    keyId: 'k',
    tokenUrl: 'https://token.example',
  };
  const { asked, fetchToken } = serviceThat(token('ya29'));
  const credential = serviceAccountCredential(account, fetchToken, clock);
  await credential.refresh();
  expect(credential.headersFor()).toEqual(['authorization', 'Bearer ya29']);
  const [header = '', claims = '', signature = ''] = asked[0]!.form['assertion']!.split('.');
  const read = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());
  expect(read(header)).toEqual({ alg: 'RS256', typ: 'JWT', kid: 'k' });
  expect(read(claims)).toEqual({
    iss: 'a@b',
    scope: 'https://www.googleapis.com/auth/cloud-platform',
    aud: 'https://token.example',
    iat: 1_700_000_000,
    exp: 1_700_003_600,
  });
  const key = createPublicKey(publicKey.export({ type: 'spki', format: 'pem' }));
  expect(verify('RSA-SHA256', Buffer.from(`${header}.${claims}`), key, Buffer.from(signature, 'base64url'))).toBe(true);
});

describe('web identity', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'sf-identity-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const settings = () => ({
    roleArn: 'arn',
    tokenFile: path.join(folder, 't'),
    sessionName: 'smartflow',
    stsUrl: 'https://sts.example',
  });
  const answer = (expiration: string): string =>
    `<R><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>s/+=</SecretAccessKey>\n<SessionToken>t</SessionToken><Expiration>${expiration}</Expiration></Credentials></R>`;

  it('LLM-5: the identity is read anew at each renewal and changed for keys', async () => {
    const { asked, fetchToken } = serviceThat({ status: 200, body: answer('2023-11-15T00:00:00Z') });
    for (const identity of ['one', 'two']) {
      writeFileSync(settings().tokenFile, `${identity}\n`);
      const keys = webIdentityKeys(settings(), fetchToken, clock);
      await keys.refresh();
      expect(keys.current()).toEqual({ accessKeyId: 'A', secretAccessKey: 's/+=', sessionToken: 't' });
    }
    expect(asked.map(({ url, form }) => [url, form['Action'], form['RoleArn'], form['WebIdentityToken']])).toEqual(
      ['one', 'two'].map((identity) => ['https://sts.example/', 'AssumeRoleWithWebIdentity', 'arn', identity]),
    );
  });

  it.each([
    ['an empty file', '', { status: 200, body: answer('2023-11-15T00:00:00Z') }, /is empty/],
    [
      'a refusal',
      'x',
      { status: 403, body: '<Error><Code>AccessDenied</Code><Message>CANARY</Message></Error>' },
      /answered 403 \(AccessDenied\)$/,
    ],
    ['no date', 'x', { status: 200, body: answer('soon') }, /no date/],
    [
      'a missing element',
      'x',
      { status: 200, body: '<R><Expiration>2023-11-15T00:00:00Z</Expiration></R>' },
      /no AccessKeyId/,
    ],
    ['no XML', 'x', { status: 200, body: '{}' }, /no Expiration/],
  ])('LLM-5: %s is a failure that quotes nothing', async (_name, identity, said, message) => {
    writeFileSync(settings().tokenFile, identity);
    const failure: unknown = await webIdentityKeys(settings(), serviceThat(said).fetchToken, clock)
      .refresh()
      .then(
        () => null,
        (error: unknown) => error,
      );
    expect(failure).toMatchObject({ code: 'upstream_credentials' });
    const cause = String((failure as Error).cause);
    expect(cause).toMatch(message);
    expect(cause).not.toContain('CANARY');
  });
});
