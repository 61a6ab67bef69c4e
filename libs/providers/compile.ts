import type { DialectName } from '#libs/dialects/index.js';
import type { ProviderConfig } from '#libs/platform/config.js';
import type { Credential, FetchToken } from './credential.js';
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

/** Stands for a token service where none is given: tests of what asks for no token. */
const noTokens: FetchToken = () => Promise.reject(new Error('no way to ask for tokens'));

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
 * @param fetchToken asks token services, for providers whose credentials expire
 */
export function compileProvider(
  config: ProviderConfig,
  demo: DemoAddress | null,
  fetchToken: FetchToken = noTokens,
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
  const credential = shape.credential?.(config, fetchToken) ?? null;
  const fixed = fixedCredentials(config, apiKey);
  const credentials = credential === null ? () => fixed : credentialsNow(fixed, credential);
  return {
    name: config.name,
    type: config.type,
    dialects,
    speaks: (dialect, model) => dialects.has(dialect) && (shape.speaks?.(dialect, model) ?? true),
    baseUrl,
    origin: url.origin,
    timeouts: config.timeouts,
    streamUsage: config.streamUsage,
    models: config.models.length > 0 ? config.models : (shape.defaultModels ?? []),
    headersFor: (dialect) => headers.get(dialect) ?? none,
    pathFor(operation, model, query, stream = false) {
      const path = shape.path(operation, model, config, stream);
      if (path === null) return null;
      return basePath + path + joinQuery(fixedQuery, shape.passesQuery?.(operation) === false ? '' : query);
    },
    get credentials() {
      return credentials();
    },
    adaptation: shape.adaptation?.(config) ?? null,
    credential,
  };
}
