import type { ProviderType } from '#libs/platform/config.js';
import { ANTHROPIC_PATHS, geminiPath, OPENAI_PATHS, type ProviderShape } from './provider.js';

const bearer = (apiKey: string): Record<string, string> => ({ authorization: `Bearer ${apiKey}` });

const openai: ProviderShape = {
  dialects: ['openai'],
  authHeaders: bearer,
  path: (operation) => OPENAI_PATHS[operation] ?? null,
};

const anthropic: ProviderShape = {
  dialects: ['anthropic'],
  authHeaders: (apiKey) => ({ 'x-api-key': apiKey }),
  path: (operation) => ANTHROPIC_PATHS[operation] ?? null,
};

const google: ProviderShape = {
  dialects: ['gemini'],
  authHeaders: (apiKey) => ({ 'x-goog-api-key': apiKey }),
  path: geminiPath,
};

/**
 * Azure OpenAI. Without a dated version, or with a base URL that ends in `/openai/v1`, the v1 API is used, which behaves like OpenAI itself (the deployment's name is the
 * model); dated APIs have the deployment in the path.
 */
const azureOpenai: ProviderShape = {
  dialects: ['openai'],
  authHeaders: (apiKey) => ({ 'api-key': apiKey }),
  path(operation, model, config) {
    const path = OPENAI_PATHS[operation];
    if (path === undefined) return null;
    const base = config.baseUrl ?? '';
    if (base.endsWith('/openai/v1')) return path;
    const root = base.endsWith('/openai') ? '' : '/openai';
    if (config.apiVersion === null) return `${root}/v1${path}`;
    return operation === 'responses' ? `${root}${path}` : `${root}/deployments/${encodeURIComponent(model)}${path}`;
  },
  query: (config) => (config.apiVersion === null ? '' : `api-version=${encodeURIComponent(config.apiVersion)}`),
};

/** The built-in demo provider speaks all three dialects; its address and token are made at start. */
const demo: ProviderShape = {
  dialects: ['openai', 'anthropic', 'gemini'],
  defaultModels: ['echo', 'story', 'tool', 'embed'],
  authHeaders: bearer,
  path(operation, model) {
    const openaiPath = OPENAI_PATHS[operation];
    return openaiPath === undefined ? (ANTHROPIC_PATHS[operation] ?? geminiPath(operation, model)) : `/v1${openaiPath}`;
  },
};

/** Every provider type this version can call. `bedrock` and `vertex` come with request signing. */
export const SHAPES: Readonly<Partial<Record<ProviderType, ProviderShape>>> = {
  openai,
  anthropic,
  google,
  'azure-openai': azureOpenai,
  'openai-compatible': openai,
  demo,
};
