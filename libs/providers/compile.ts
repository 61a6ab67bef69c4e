import type { DialectName } from '#libs/dialects/index.js';
import type { ProviderConfig } from '#libs/platform/config.js';
import { CredentialCache } from './credential-cache.js';
import type { Credential } from './credential.js';
import { openAiApis } from './openai-apis.js';
import type { Provider } from './provider.js';
import { SHAPES } from './shapes.js';

/** Where the demo provider of this process listens. */
export interface DemoAddress {
  readonly baseUrl: string;
  readonly token: string;
}

/** A query string from parts, empty ones left out; with its `?` unless all are empty. */
function joinQuery(...parts: readonly string[]): string {
  const filled = parts.filter((part) => part !== '');
  return filled.length === 0 ? '' : `?${filled.join('&')}`;
}

function headersOf(config: ProviderConfig, auth: Readonly<Record<string, string>>): Record<string, string> {
  const headers: Record<string, string> = { ...auth };
  for (const [name, value] of Object.entries(config.headers)) headers[name.toLowerCase()] = value.reveal();
  return headers;
}

/** Credentials that stand in the configuration. */
function fixedCredentials(config: ProviderConfig, apiKey: string | undefined): Buffer[] {
  const values = Object.values(config.headers).map((value) => value.reveal());
  return [...(apiKey === undefined ? [] : [apiKey]), ...values].map((value) => Buffer.from(value));
}

/** All credentials of now; the same array as long as none of them has changed, since readers remember it. */
function credentialsNow(fixed: readonly Buffer[], credential: Credential): () => readonly Buffer[] {
  let known: readonly string[] = [];
  let all: readonly Buffer[] = fixed;
  return () => {
    const secrets = credential.secrets();
    if (secrets.length !== known.length || secrets.some((secret, at) => secret !== known[at])) {
      known = secrets;
      all = [...fixed, ...secrets.map((secret) => Buffer.from(secret))];
    }
    return all;
  };
}

/**
 * A provider as the data plane uses it, or `null` for one without an address. Every header and base path is worked out
 * once, here.
 * @param credentials of providers whose credentials expire or sign; default none kept, and no way to ask for tokens
 */
export function compileProvider(
  config: ProviderConfig,
  demo: DemoAddress | null,
  credentials = new CredentialCache(() => Promise.reject(new Error('no way to ask for tokens'))),
): Provider | null {
  const shape = SHAPES[config.type];
  const baseUrl = config.type === 'demo' ? demo?.baseUrl : config.baseUrl;
  if (baseUrl === undefined || baseUrl === null) return null;
  const url = new URL(baseUrl);
  const basePath = url.pathname.replace(/\/+$/, '');
  const apiKey = config.type === 'demo' ? demo?.token : config.apiKey?.reveal();
  const fixedQuery = shape.query?.(config) ?? '';
  const headers = new Map<DialectName, Record<string, string>>(
    shape.dialects.map((dialect) => [
      dialect,
      headersOf(config, apiKey === undefined ? {} : shape.authHeaders(apiKey, dialect)),
    ]),
  );
  const none: Record<string, string> = {};
  const dialects = new Set(shape.dialects);
  const credential = credentials.of(config, (fetchToken) => shape.credential?.(config, fetchToken) ?? null);
  const fixed = fixedCredentials(config, apiKey);
  const secretsNow = credential === null ? () => fixed : credentialsNow(fixed, credential);
  return {
    name: config.name,
    type: config.type,
    dialects,
    speaks: (dialect, model) => dialects.has(dialect) && (shape.speaks?.(dialect, model) ?? true),
    has: openAiApis(config),
    baseUrl,
    origin: url.origin,
    timeouts: config.timeouts,
    clientGone: config.clientGone,
    streamUsage: config.streamUsage,
    defaultTier: config.defaultTier,
    chatMaximum: config.type === 'openai' || config.type === 'azure-openai' ? 'max_completion_tokens' : 'max_tokens',
    models: config.models.length > 0 ? config.models : (shape.defaultModels ?? []),
    headersFor: (dialect) => headers.get(dialect) ?? none,
    pathFor(operation, model, query, stream = false) {
      const path = shape.path(operation, model, config, stream);
      if (path === null) return null;
      return basePath + path + joinQuery(fixedQuery, shape.passesQuery?.(operation) === false ? '' : query);
    },
    get credentials() {
      return secretsNow();
    },
    adaptation: shape.adaptation?.(config) ?? null,
    credential,
  };
}
