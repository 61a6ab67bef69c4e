import { memberStart, scanObject, splice } from '#libs/dialects/index.js';
import type { AzureSettings, ProviderConfig } from '#libs/platform/config.js';
import type { Adaptation, AdaptedCall, OutgoingCall } from '../adaptation.js';
import { OPENAI_PATHS, type ProviderShape } from '../provider.js';
import { entraCredential } from './entra-credential.js';

/** Scopes of Entra tokens, by the API they are for. */
const SCOPE_V1 = 'https://ai.azure.com/.default';
const SCOPE_DATED = 'https://cognitiveservices.azure.com/.default';

function settingsOf(config: ProviderConfig): AzureSettings | null {
  return config.cloud?.kind === 'azure' ? config.cloud : null;
}

/** The v1 API behaves like OpenAI itself. It is used without a dated version, or with a base URL that ends in `/openai/v1`. */
function isV1(config: ProviderConfig): boolean {
  return config.apiVersion === null || (config.baseUrl ?? '').endsWith('/openai/v1');
}

function deploymentOf(config: ProviderConfig, model: string): string {
  return settingsOf(config)?.deployments.get(model) ?? model;
}

/** The name of the deployment in place of the model's, where they differ. */
class DeploymentNames implements Adaptation {
  readonly #config: ProviderConfig;

  constructor(config: ProviderConfig) {
    this.#config = config;
  }

  adapt({ model, headers, body }: OutgoingCall): AdaptedCall {
    const deployment = deploymentOf(this.#config, model);
    return { headers: [...headers], body: deployment === model ? body : withModel(body, deployment), dropped: [] };
  }

  decoderFor(): null {
    return null;
  }
}

const MODEL: ReadonlySet<string> = new Set(['model']);

function withModel(body: Buffer, deployment: string): Buffer {
  const span = scanObject(body, MODEL).fields.get('model');
  if (span === undefined) return body;
  const start = memberStart(body, span.start);
  return splice(body, [{ start, end: span.end, text: `"model":${JSON.stringify(deployment)}` }]);
}

/** Azure OpenAI: the model is the name of a deployment; dated APIs have it in the path. By key or by Entra token. */
export const azureOpenai: ProviderShape = {
  dialects: ['openai'],
  authHeaders: (apiKey) => ({ 'api-key': apiKey }),
  path(operation, model, config) {
    const path = OPENAI_PATHS[operation];
    if (path === undefined) return null;
    const base = config.baseUrl ?? '';
    if (base.endsWith('/openai/v1')) return path;
    const root = base.endsWith('/openai') ? '' : '/openai';
    if (config.apiVersion === null) return `${root}/v1${path}`;
    if (operation === 'responses') return `${root}${path}`;
    return `${root}/deployments/${encodeURIComponent(deploymentOf(config, model))}${path}`;
  },
  query: (config) => (config.apiVersion === null ? '' : `api-version=${encodeURIComponent(config.apiVersion)}`),
  // The version is the configuration's, whatever an Azure client has in its own query.
  passesQuery: () => false,
  adaptation: (config) => ((settingsOf(config)?.deployments.size ?? 0) > 0 ? new DeploymentNames(config) : null),
  credential(config, fetchToken) {
    const entra = settingsOf(config)?.entra ?? null;
    return entra === null ? null : entraCredential(entra, isV1(config) ? SCOPE_V1 : SCOPE_DATED, fetchToken);
  },
};
