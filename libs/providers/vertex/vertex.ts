import type { IncomingHttpHeaders } from 'node:http';
import type { DialectName, Operation } from '#libs/dialects/index.js';
import type { ProviderConfig, VertexSettings } from '#libs/platform/config.js';
import type { Adaptation, AdaptedCall, AnswerDecoder, OutgoingCall } from '../adaptation.js';
import { cloudBody } from '../anthropic-cloud/body.js';
import { CloudErrorDecoder } from '../anthropic-cloud/error-body.js';
import { VERTEX, withBetas, type Capabilities } from '../anthropic-cloud/features.js';
import { valuesOf, withoutHeaders } from '../flat-headers.js';
import type { ProviderShape } from '../provider.js';
import { serviceAccountCredential } from './service-account.js';

const GEMINI_ACTIONS: Partial<Record<Operation, string>> = {
  generate: 'generateContent',
  stream_generate: 'streamGenerateContent',
  gemini_count_tokens: 'countTokens',
};

function settingsOf(config: ProviderConfig): VertexSettings | null {
  return config.cloud?.kind === 'vertex' ? config.cloud : null;
}

/** Claude models are reached in Anthropic's dialect, all others in Google's. */
function dialectOf(model: string): DialectName {
  return model.startsWith('claude-') ? 'anthropic' : 'gemini';
}

/** Claude on Vertex: version in the body, model in the path. Gemini models are called as at Google itself. */
class VertexAdaptation implements Adaptation {
  readonly #capabilities: Capabilities;

  constructor(config: ProviderConfig) {
    this.#capabilities = withBetas(VERTEX, settingsOf(config)?.betas ?? []);
  }

  adapt({ operation, headers, body }: OutgoingCall): AdaptedCall {
    const isCount = operation === 'count_tokens';
    if (operation !== 'messages' && !isCount) return { headers: [...headers], body, dropped: [] };
    const betas = valuesOf(headers, 'anthropic-beta');
    const adapted = cloudBody(body, betas, isCount ? [] : ['model'], this.#capabilities);
    const kept = withoutHeaders(headers, (name) => name.startsWith('anthropic-'));
    if (adapted.betas.length > 0) kept.push('anthropic-beta', adapted.betas.join(','));
    return { headers: kept, body: adapted.body, dropped: adapted.dropped };
  }

  decoderFor(operation: Operation, status: number, headers: IncomingHttpHeaders): AnswerDecoder | null {
    const isAnthropic = operation === 'messages' || operation === 'count_tokens';
    return isAnthropic && status >= 400 ? new CloudErrorDecoder(status, headers) : null;
  }
}

/** Where the models of a publisher are called. */
function modelsPath(config: ProviderConfig, publisher: 'google' | 'anthropic'): string {
  const { project = '', location = '' } = settingsOf(config) ?? {};
  return `/v1/projects/${encodeURIComponent(project)}/locations/${location}/publishers/${publisher}/models`;
}

/** Gemini and Claude on Google Vertex AI, by the token of a service account. */
export const vertex: ProviderShape = {
  dialects: ['gemini', 'anthropic'],
  speaks: (dialect, model) => dialectOf(model) === dialect,
  authHeaders: () => ({}),
  path(operation, model, config, stream) {
    const name = encodeURIComponent(model);
    if (dialectOf(model) === 'gemini') {
      const action = GEMINI_ACTIONS[operation];
      return action === undefined ? null : `${modelsPath(config, 'google')}/${name}:${action}`;
    }
    const models = modelsPath(config, 'anthropic');
    if (operation === 'count_tokens') return `${models}/count-tokens:rawPredict`;
    return operation === 'messages' ? `${models}/${name}:${stream ? 'streamRawPredict' : 'rawPredict'}` : null;
  },
  passesQuery: (operation) => operation !== 'messages' && operation !== 'count_tokens',
  adaptation: (config) => new VertexAdaptation(config),
  credential(config, fetchToken) {
    const account = settingsOf(config)?.serviceAccount ?? null;
    return account === null ? null : serviceAccountCredential(account, fetchToken);
  },
};
