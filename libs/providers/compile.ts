import type { DialectName } from '#libs/dialects/index.js';
import type { ProviderConfig } from '#libs/platform/config.js';
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

/**
 * A provider as the data plane uses it, or `null` for a type this version cannot call (the configuration warns of it) and
 * for one without an address. Every header and base path is worked out once, here.
 */
export function compileProvider(config: ProviderConfig, demo: DemoAddress | null): Provider | null {
  const shape = SHAPES[config.type];
  const baseUrl = config.type === 'demo' ? demo?.baseUrl : config.baseUrl;
  if (shape === undefined || baseUrl === undefined || baseUrl === null) return null;
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
  return {
    name: config.name,
    type: config.type,
    dialects: new Set(shape.dialects),
    baseUrl,
    origin: url.origin,
    timeouts: config.timeouts,
    clientGone: config.clientGone,
    streamUsage: config.streamUsage,
    defaultTier: config.defaultTier,
    chatMaximum: config.type === 'openai' || config.type === 'azure-openai' ? 'max_completion_tokens' : 'max_tokens',
    models: config.models.length > 0 ? config.models : (shape.defaultModels ?? []),
    headersFor: (dialect) => headers.get(dialect) ?? none,
    pathFor(operation, model, query) {
      const path = shape.path(operation, model, config);
      return path === null ? null : basePath + path + joinQuery(fixedQuery, query);
    },
    credentials: [
      ...(apiKey === undefined ? [] : [apiKey]),
      ...Object.values(config.headers).map((value) => value.reveal()),
    ].map((value) => Buffer.from(value)),
  };
}
