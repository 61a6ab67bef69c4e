import type { ProviderType } from '#libs/platform/config.js';
import { azureOpenai } from './azure/azure-openai.js';
import { bedrock } from './bedrock/bedrock.js';
import { ANTHROPIC_PATHS, geminiPath, OPENAI_PATHS, type ProviderShape } from './provider.js';
import { vertex } from './vertex/vertex.js';

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

/** Every provider type. */
export const SHAPES: Readonly<Record<ProviderType, ProviderShape>> = {
  openai,
  anthropic,
  google,
  'azure-openai': azureOpenai,
  'openai-compatible': openai,
  bedrock,
  vertex,
  demo,
};
