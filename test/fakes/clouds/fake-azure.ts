import { type Behaviour, json } from '../upstream/behaviour.js';
import { type FakeUpstream, startFakeUpstream } from '../upstream/fake-upstream.js';
import type { RecordedRequest } from '../upstream/recorded-request.js';
import { answerWithRecording } from '../upstream/recordings.js';

export interface FakeAzure extends FakeUpstream {
  readonly apiKeys: Set<string>;
  /** Tokens handed out, with the scope they are for. */
  readonly tokens: Map<string, string>;
  /** The one application Entra knows. */
  readonly application: { readonly tenantId: string; readonly clientId: string; readonly clientSecret: string };
  lifetimeS: number;
}

const DEPLOYMENTS = ['prod-gpt-5', 'gpt-5'];
const DATED =
  /^\/openai\/deployments\/([^/]+)\/(chat\/completions|completions|embeddings)\?api-version=\d{4}-\d\d-\d\d(-preview)?$/;

/** Azure OpenAI with both of its APIs, and Entra ID's token service for one tenant. */
export async function startFakeAzure(clientSecret: string): Promise<FakeAzure> {
  const apiKeys = new Set<string>();
  const tokens = new Map<string, string>();
  const application = { tenantId: '11111111-2222-3333-4444-555555555555', clientId: 'app-1', clientSecret };
  const upstream = await startFakeUpstream({ fallback: (request) => answer(request) });
  const fake: FakeAzure = Object.assign(upstream, { apiKeys, tokens, application, lifetimeS: 3600 });
  function answer(request: RecordedRequest): Behaviour {
    if (request.target.endsWith('/oauth2/v2.0/token')) return token(request);
    const isV1 = request.target.startsWith('/openai/v1/');
    const scope = isV1 ? 'https://ai.azure.com/.default' : 'https://cognitiveservices.azure.com/.default';
    const bearer = /^Bearer (.+)$/.exec(request.header('authorization') ?? '')?.[1] ?? '';
    if (!apiKeys.has(request.header('api-key') ?? '') && tokens.get(bearer) !== scope) {
      const message = `Access denied due to invalid subscription key or wrong token ${bearer}`;
      return json({ error: { code: '401', message } }, { status: 401 });
    }
    return answerModel(request, isV1);
  }
  function token(request: RecordedRequest): Behaviour {
    const form = new URLSearchParams(request.body.toString());
    const isKnown =
      request.target === `/${application.tenantId}/oauth2/v2.0/token` &&
      form.get('grant_type') === 'client_credentials' &&
      form.get('client_id') === application.clientId &&
      form.get('client_secret') === application.clientSecret;
    if (!isKnown)
      return json(
        { error: 'invalid_client', error_description: `wrong: ${form.get('client_secret')}` },
        { status: 401 },
      );
    const fresh = `entra-fake-${tokens.size}-${Math.random().toString(36).slice(2)}`;
    tokens.set(fresh, form.get('scope') ?? '');
    return json({ token_type: 'Bearer', expires_in: fake.lifetimeS, access_token: fresh });
  }
  return fake;
}

function answerModel(request: RecordedRequest, isV1: boolean): Behaviour {
  const deployment = isV1 ? (request.json() as { model?: string }).model : (DATED.exec(request.target)?.[1] ?? '');
  return DEPLOYMENTS.includes(deployment ?? '')
    ? answerWithRecording(request)
    : json({ error: { code: 'DeploymentNotFound', message: `no deployment ${deployment}` } }, { status: 404 });
}
