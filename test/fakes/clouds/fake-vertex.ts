import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { type Behaviour, json } from '../upstream/behaviour.js';
import { type FakeUpstream, startFakeUpstream } from '../upstream/fake-upstream.js';
import type { RecordedRequest } from '../upstream/recorded-request.js';
import { answerWithRecording, recordings, replay } from '../upstream/recordings.js';

export interface FakeVertex extends FakeUpstream {
  /** The JSON key of the one service account it knows. */
  readonly serviceAccount: string;
  /** Tokens handed out and still good; may be cleared. */
  readonly tokens: Set<string>;
  /** Lifetime of the next tokens in seconds. */
  lifetimeS: number;
}

const TOKEN_PATH = '/token';
const MODELS =
  /^\/v1\/projects\/test-project\/locations\/europe-west1\/publishers\/(google|anthropic)\/models\/([^/:]+):(\w+)$/;

/** An error of Google. */
export function googleError(code: number, status: string, message: string): Behaviour {
  return json({ error: { code, message, status } }, { status: code });
}

/** Vertex AI and Google's token service in one: checks assertions by the public key, then tokens, paths and bodies. */
export async function startFakeVertex(): Promise<FakeVertex> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const tokens = new Set<string>();
  const email = 'gateway@test-project.iam.gserviceaccount.com';
  const upstream = await startFakeUpstream({ fallback: (request) => answer(request) });
  const tokenUrl = upstream.url + TOKEN_PATH;
  const fake: FakeVertex = Object.assign(upstream, {
    serviceAccount: JSON.stringify({
      type: 'service_account',
      project_id: 'test-project',
      private_key_id: 'key-1',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      client_email: email,
      token_uri: tokenUrl,
    }),
    tokens,
    lifetimeS: 3600,
  });
  function answer(request: RecordedRequest): Behaviour {
    if (request.target === TOKEN_PATH) return token(request);
    const bearer = /^Bearer (.+)$/.exec(request.header('authorization') ?? '')?.[1] ?? '';
    if (!tokens.has(bearer)) return googleError(401, 'UNAUTHENTICATED', `invalid credentials: ${bearer}`);
    return answerModel(request);
  }
  function token(request: RecordedRequest): Behaviour {
    const form = new URLSearchParams(request.body.toString());
    const [header = '', claims = '', signature = ''] = (form.get('assertion') ?? '').split('.');
    const isSigned = verify(
      'RSA-SHA256',
      Buffer.from(`${header}.${claims}`),
      createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })),
      Buffer.from(signature, 'base64url'),
    );
    const read = (part: string): Record<string, unknown> =>
      JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer' || !isSigned)
      return json({ error: 'invalid_grant', error_description: `bad ${form.get('assertion')}` }, { status: 400 });
    const { iss, aud, scope, iat, exp } = read(claims);
    const nowS = Date.now() / 1000;
    const isTimely = Math.abs(nowS - Number(iat)) < 60 && Number(exp) - Number(iat) <= 3600;
    const isOurs = iss === email && aud === tokenUrl && scope === 'https://www.googleapis.com/auth/cloud-platform';
    if (!isTimely || !isOurs || read(header)['kid'] !== 'key-1')
      return json({ error: 'invalid_grant' }, { status: 400 });
    const fresh = `ya29.fake-${tokens.size}-${Math.random().toString(36).slice(2)}`;
    tokens.add(fresh);
    return json({ access_token: fresh, expires_in: fake.lifetimeS, token_type: 'Bearer' });
  }
  return fake;
}

function answerModel(request: RecordedRequest): Behaviour {
  const [path = '', query = ''] = request.target.split('?', 2);
  const [, publisher, model = '', action = ''] = MODELS.exec(path) ?? [];
  if (publisher === 'google') return answerWithRecording(request);
  if (publisher !== 'anthropic') return googleError(404, 'NOT_FOUND', `no such path: ${path}`);
  const body = request.json() as Record<string, unknown>;
  if (
    query !== '' ||
    body['anthropic_version'] !== 'vertex-2023-10-16' ||
    request.header('anthropic-version') !== undefined
  )
    return googleError(400, 'INVALID_ARGUMENT', 'anthropic_version: Field required');
  if (model === 'count-tokens')
    return 'model' in body ? replay(recordings.countTokens) : googleError(400, 'INVALID_ARGUMENT', 'model');
  if ('model' in body) return googleError(400, 'INVALID_ARGUMENT', 'model: Extra inputs are not permitted');
  if (action === 'rawPredict' && body['stream'] !== true) return replay(recordings.messages);
  return action === 'streamRawPredict'
    ? replay(recordings.messagesStream)
    : googleError(400, 'INVALID_ARGUMENT', action);
}
