import type { ChatMaximum, DialectName, Operation } from '#libs/dialects/index.js';
import type { ClientGonePolicy, ProviderConfig, ProviderType, UpstreamTimeouts } from '#libs/platform/config.js';
import type { Adaptation } from './adaptation.js';
import type { Credential, FetchToken } from './credential.js';

/** A configured provider, ready for the hot path: where a call goes and what it must carry. */
export interface Provider {
  readonly name: string;
  readonly type: ProviderType;
  /** All dialects it speaks for some model. */
  readonly dialects: ReadonlySet<DialectName>;
  /** Whether a model of this provider is reached in a dialect. */
  speaks(dialect: DialectName, model: string): boolean;
  /** Whether a model has an operation of its dialect; asked for what has a path. */
  has(operation: Operation, model: string): boolean;
  /** As configured, or the type's own; prices are told from it where the type says too little. */
  readonly baseUrl: string;
  /** Scheme, host and port. */
  readonly origin: string;
  readonly timeouts: UpstreamTimeouts;
  readonly clientGone: ClientGonePolicy;
  /** Whether streamed chat may be asked for its usage (`stream_options`). */
  readonly streamUsage: boolean;
  /** Service tier of calls that ask for none; `null`: the standard one. */
  readonly defaultTier: string | null;
  /** How the maximum of a chat request is named where it names none itself. */
  readonly chatMaximum: ChatMaximum;
  /** Models declared for the listing. */
  readonly models: readonly string[];
  /** Lower-case headers added to every call of a dialect, credentials included. */
  headersFor(dialect: DialectName): Readonly<Record<string, string>>;
  /**
   * Path and query at the upstream. `query` is the caller's, without our key and without `?`.
   * `null` when the provider does not offer the operation.
   * @param stream whether the answer is wanted as a stream: some providers have a path of its own for that
   */
  pathFor(operation: Operation, model: string, query: string, stream?: boolean): string | null;
  /** Credentials that an upstream's error text must never carry to a caller: those of now. */
  readonly credentials: readonly Buffer[];
  /** How its calls differ from the dialect they are written in; `null` for most: they do not. */
  readonly adaptation: Adaptation | null;
  /** Credentials that expire or sign each call; `null` for most: their headers never change. */
  readonly credential: Credential | null;
}

/** What differs between provider types. */
export interface ProviderShape {
  readonly dialects: readonly DialectName[];
  /** Whether a model is reached in a dialect; absent: every model in all dialects of the shape. */
  speaks?(dialect: DialectName, model: string): boolean;
  /** Models listed when the configuration names none and no catalogue knows the provider. */
  readonly defaultModels?: readonly string[];
  authHeaders(apiKey: string, dialect: DialectName): Readonly<Record<string, string>>;
  /** Path below the base URL, or `null` when there is none for the operation. A leading slash, no query. */
  path(operation: Operation, model: string, config: ProviderConfig, stream: boolean): string | null;
  /** Query parameters the provider needs on every call, such as `api-version=…`. */
  query?(config: ProviderConfig): string;
  /** Whether the caller's query goes on; absent: yes. */
  passesQuery?(operation: Operation): boolean;
  adaptation?(config: ProviderConfig): Adaptation | null;
  credential?(config: ProviderConfig, fetchToken: FetchToken): Credential | null;
}

/** Paths of the OpenAI API below `…/v1`. */
export const OPENAI_PATHS: Partial<Record<Operation, string>> = {
  chat: '/chat/completions',
  responses: '/responses',
  completions: '/completions',
  embeddings: '/embeddings',
};

/** Paths of the Anthropic API below its host. */
export const ANTHROPIC_PATHS: Partial<Record<Operation, string>> = {
  messages: '/v1/messages',
  count_tokens: '/v1/messages/count_tokens',
};

const GEMINI_ACTIONS: Partial<Record<Operation, string>> = {
  generate: 'generateContent',
  stream_generate: 'streamGenerateContent',
  gemini_count_tokens: 'countTokens',
  gemini_embed: 'embedContent',
  gemini_batch_embed: 'batchEmbedContents',
};

/** Path of the Gemini API below its host. A model name is one path segment or several; each is encoded. */
export function geminiPath(operation: Operation, model: string): string | null {
  const action = GEMINI_ACTIONS[operation];
  return action === undefined ? null : `/v1beta/models/${model.split('/').map(encodeURIComponent).join('/')}:${action}`;
}
