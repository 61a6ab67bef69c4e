import type { PricedProvider } from '#libs/pricing/index.js';

/** A model with prices, and the most tokens its provider's formula makes of one image. */
export interface PricedModel {
  readonly provider: PricedProvider;
  readonly model: string;
  readonly imageTokens: number;
}
const of = (provider: PricedProvider, models: readonly (readonly [string, number])[]): readonly PricedModel[] =>
  models.map(([model, imageTokens]) => ({ provider, model, imageTokens }));
export const OPENAI = [
  ...of({ name: 'o', type: 'openai', baseUrl: 'https://api.openai.com/v1' }, [
    ['gpt-4o', 1445],
    ['gpt-4o-mini', 48_169],
    ['gpt-4.1-mini', 3779],
    ['gpt-5', 1190],
    ['gpt-5-mini', 3779],
    ['gpt-5.4', 10_000],
    ['gpt-5.5', 10_000],
    ['gpt-5.6-sol', 10_000],
    ['gpt-6-astra', 24_600],
    ['o3', 1275],
  ]),
  ...of({ name: 'e', type: 'openai', baseUrl: 'https://eu.api.openai.com/v1' }, [['gpt-5.5', 10_000]]),
  ...of({ name: 'd', type: 'openai-compatible', baseUrl: 'https://api.deepseek.com/v1' }, [['deepseek-v4-pro', 0]]),
  ...of({ name: 'g', type: 'openai-compatible', baseUrl: 'https://api.groq.com/openai/v1' }, [
    ['llama-3.3-70b-versatile', 2000],
  ]),
  ...of({ name: 'm', type: 'openai-compatible', baseUrl: 'https://api.mistral.ai/v1' }, [
    ['mistral-large-latest', 4000],
  ]),
  ...of({ name: 'x', type: 'openai-compatible', baseUrl: 'https://api.x.ai/v1' }, [['grok-4-0709', 1792]]),
];
export const SEARCHING = of({ name: 'o', type: 'openai', baseUrl: 'https://api.openai.com/v1' }, [
  ['gpt-4o-search-preview', 0],
  ['gpt-4o-mini-search-preview', 0],
  ['gpt-5-search-api', 0],
]);
export const COMPLETING = of({ name: 'o', type: 'openai', baseUrl: 'https://api.openai.com/v1' }, [
  ['gpt-3.5-turbo-instruct', 0],
]);
export const ANTHROPIC = of({ name: 'a', type: 'anthropic', baseUrl: 'https://api.anthropic.com' }, [
  ['claude-haiku-4-5', 1600],
  ['claude-sonnet-4-5', 1600],
  ['claude-sonnet-5', 4784],
  ['claude-opus-4-8', 4784],
  ['claude-opus-5', 4784],
  ['claude-fable-5-1', 4784],
]);
export const GOOGLE = of({ name: 'v', type: 'google', baseUrl: 'https://generativelanguage.googleapis.com' }, [
  ['gemini-2.5-flash', 4128],
  ['gemini-2.5-pro', 4128],
  ['gemini-3.1-pro-preview', 2240],
  ['gemini-3.8-flash', 2240],
  ['gemini-2.5-flash-image', 4128],
]);
