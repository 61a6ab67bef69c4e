import type { IncomingHttpHeaders } from 'node:http';
import type { Operation } from '#libs/dialects/index.js';
import type { BedrockSettings, ProviderConfig } from '#libs/platform/config.js';
import type { Adaptation, AdaptedCall, AnswerDecoder, OutgoingCall } from '../adaptation.js';
import { cloudBody } from '../anthropic-cloud/body.js';
import { CloudErrorDecoder } from '../anthropic-cloud/error-body.js';
import { BEDROCK, withBetas, type Capabilities } from '../anthropic-cloud/features.js';
import { valuesOf, withoutHeaders } from '../flat-headers.js';
import type { ProviderShape } from '../provider.js';
import { EventsToSse } from './events-to-sse.js';
import { SigningCredential } from './signing-credential.js';
import { webIdentityKeys } from './web-identity.js';

function settingsOf(config: ProviderConfig): BedrockSettings | null {
  return config.cloud?.kind === 'bedrock' ? config.cloud : null;
}

/** Every character that is not unreserved (RFC 3986 §2.3) is escaped, or the signature would not fit the path. */
function segment(model: string): string {
  return encodeURIComponent(model).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The Messages API as `InvokeModel` has it: version and betas in the body, the model in the path. */
class BedrockAdaptation implements Adaptation {
  readonly #capabilities: Capabilities;
  readonly #own: ReadonlySet<string>;

  constructor(config: ProviderConfig) {
    this.#capabilities = withBetas(BEDROCK, settingsOf(config)?.betas ?? []);
    this.#own = new Set(Object.keys(config.headers));
  }

  adapt({ headers, body }: OutgoingCall): AdaptedCall {
    const betas = valuesOf(headers, 'anthropic-beta');
    const adapted = cloudBody(body, betas, ['model', 'stream'], this.#capabilities);
    const kept = withoutHeaders(headers, (name) => this.#stops(name));
    kept.push('content-type', 'application/json', 'accept', 'application/json');
    return { headers: kept, body: adapted.body, dropped: adapted.dropped };
  }

  /** A caller must not choose guardrails, tokens or dates of the signature by `x-amz…` headers; the operator may. */
  #stops(name: string): boolean {
    if (name === 'content-type' || name === 'accept' || name.startsWith('anthropic-')) return true;
    return name.startsWith('x-amz') && !this.#own.has(name);
  }

  decoderFor(_operation: Operation, status: number, headers: IncomingHttpHeaders): AnswerDecoder | null {
    if (status >= 400) return new CloudErrorDecoder(status, headers);
    const type = String(headers['content-type'] ?? '').toLowerCase();
    return type.startsWith('application/vnd.amazon.eventstream') ? new EventsToSse(headers) : null;
  }
}

/** Claude on AWS Bedrock by `InvokeModel`. Signed by a key, by the keys of a role, or with a Bedrock API key. */
export const bedrock: ProviderShape = {
  dialects: ['anthropic'],
  authHeaders: (apiKey) => ({ authorization: `Bearer ${apiKey}` }),
  path(operation, model, _config, stream) {
    if (operation !== 'messages') return null;
    return `/model/${segment(model)}/${stream ? 'invoke-with-response-stream' : 'invoke'}`;
  },
  passesQuery: () => false,
  adaptation: (config) => new BedrockAdaptation(config),
  credential(config, fetchToken) {
    const settings = settingsOf(config);
    if (settings === null || config.baseUrl === null) return null;
    const { host } = new URL(config.baseUrl);
    if (settings.webIdentity !== null) {
      return new SigningCredential(webIdentityKeys(settings.webIdentity, fetchToken), settings.region, host);
    }
    if (settings.key === null) return null;
    const { accessKeyId, secretAccessKey, sessionToken } = settings.key;
    const key = {
      accessKeyId,
      secretAccessKey: secretAccessKey.reveal(),
      sessionToken: sessionToken?.reveal() ?? null,
    };
    return new SigningCredential(key, settings.region, host);
  },
};
