import { anthropic, gemini, openai, type Dialect, type Operation } from '#libs/dialects/index.js';
import { DEPLOYMENTS_ROUTE } from './azure-route.js';

/** One route of the data plane. Endpoints are data: every one goes through the same `handle`. */
export interface Endpoint {
  readonly method: 'POST' | 'GET' | 'HEAD';
  /** Fastify route pattern; also the `route` of log rows and of a key's allow-list. */
  readonly route: string;
  readonly dialect: Dialect;
  /** What an upstream is asked for; `null` for what the gateway answers itself. */
  readonly operation: Operation | null;
  /** What the gateway answers itself: its models, one of them, a greeting without a key. */
  readonly own: 'models' | 'model' | 'hello' | null;
}

const OPENAI_CALLS: readonly (readonly [string, Operation])[] = [
  ['/chat/completions', 'chat'],
  ['/responses', 'responses'],
  ['/completions', 'completions'],
  ['/embeddings', 'embeddings'],
];

/** OpenAI routes below a base URL; Cursor uses its own with and without `/v1`. */
function openaiEndpoints(base: string): Endpoint[] {
  return [
    ...OPENAI_CALLS.map(([path, operation]): Endpoint => ({
      method: 'POST',
      route: base + path,
      dialect: openai,
      operation,
      own: null,
    })),
    { method: 'GET', route: `${base}/models`, dialect: openai, operation: null, own: 'models' },
    { method: 'GET', route: `${base}/models/*`, dialect: openai, operation: null, own: 'model' },
  ];
}

/** Gemini routes: model and action stand in the last part of the path (`…/models/{model}:generateContent`). */
function geminiEndpoints(base: string): Endpoint[] {
  return [
    { method: 'POST', route: `${base}/models/*`, dialect: gemini, operation: 'generate', own: null },
    { method: 'GET', route: `${base}/models`, dialect: gemini, operation: null, own: 'models' },
    { method: 'GET', route: `${base}/models/*`, dialect: gemini, operation: null, own: 'model' },
  ];
}

export const ENDPOINTS: readonly Endpoint[] = [
  ...openaiEndpoints('/v1'),
  // Which operation, the end of the path says (`azure-route.ts`).
  { method: 'POST', route: DEPLOYMENTS_ROUTE, dialect: openai, operation: 'chat', own: null },
  ...openaiEndpoints('/cursor'),
  ...openaiEndpoints('/cursor/v1'),
  { method: 'POST', route: '/anthropic/v1/messages', dialect: anthropic, operation: 'messages', own: null },
  {
    method: 'POST',
    route: '/anthropic/v1/messages/count_tokens',
    dialect: anthropic,
    operation: 'count_tokens',
    own: null,
  },
  { method: 'GET', route: '/anthropic/v1/models', dialect: anthropic, operation: null, own: 'models' },
  { method: 'GET', route: '/anthropic/v1/models/*', dialect: anthropic, operation: null, own: 'model' },
  { method: 'HEAD', route: '/anthropic/api/hello', dialect: anthropic, operation: null, own: 'hello' },
  ...geminiEndpoints('/gemini/v1beta'),
  ...geminiEndpoints('/gemini/v1'),
  ...geminiEndpoints('/v1beta'),
];

const BY_ROUTE = new Map(ENDPOINTS.map((endpoint) => [`${endpoint.method} ${endpoint.route}`, endpoint]));

/** The endpoint of a matched route. */
export function endpointOf(method: string, route: string): Endpoint | undefined {
  return BY_ROUTE.get(`${method} ${route}`) ?? (method === 'HEAD' ? BY_ROUTE.get(`GET ${route}`) : undefined);
}

/** Endpoints whose route a path matches, whatever the method. */
export function endpointsAt(path: string): Endpoint[] {
  return ENDPOINTS.filter(({ route }) =>
    route.endsWith('*') ? path.startsWith(route.slice(0, -1)) && path.length >= route.length : path === route,
  );
}

/** Route patterns of one method, for the controller's decorators. */
export function routesOf(method: Endpoint['method']): string[] {
  return ENDPOINTS.filter((endpoint) => endpoint.method === method).map((endpoint) => endpoint.route);
}

const PREFIXES: readonly (readonly [string, Dialect])[] = [
  ['/anthropic', anthropic],
  ['/gemini', gemini],
  ['/v1beta', gemini],
  ['/cursor', openai],
  ['/v1', openai],
];

/** The dialect in which errors on a path are written, `null` outside the data plane. */
export function dialectOfPath(path: string): Dialect | null {
  for (const [prefix, dialect] of PREFIXES) {
    if (path === prefix || path.startsWith(`${prefix}/`) || path.startsWith(`${prefix}?`)) return dialect;
  }
  return null;
}

/** Actions of the Gemini API as they stand after the colon. */
export const GEMINI_OPERATIONS: ReadonlyMap<string, Operation> = new Map([
  ['generateContent', 'generate'],
  ['streamGenerateContent', 'stream_generate'],
  ['countTokens', 'gemini_count_tokens'],
  ['embedContent', 'gemini_embed'],
  ['batchEmbedContents', 'gemini_batch_embed'],
]);
