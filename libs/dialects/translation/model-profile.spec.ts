import { claudeProfile, geminiProfile, openAiProfile } from './model-profile.js';

describe('LLM-7: a name tells what the model takes', () => {
  it.each([
    ['claude-3-5-sonnet-20241022', 'none', true, true, 4096],
    ['claude-3-haiku-20240307', 'none', true, true, 4096],
    ['claude-3-7-sonnet-latest', 'budget', true, true, 4096],
    ['claude-opus-4-20250514', 'budget', true, true, 16_384],
    ['claude-opus-4-1', 'budget', true, false, 16_384],
    ['claude-sonnet-4-5-20250929', 'budget', true, false, 16_384],
    ['us.anthropic.claude-sonnet-4-20250514-v1:0', 'budget', true, true, 16_384],
    ['claude-sonnet-4-6', 'adaptive', true, false, 16_384],
    ['claude-opus-4-7', 'adaptive', false, false, 16_384],
    ['claude-sonnet-5', 'adaptive', false, false, 16_384],
    ['claude-fable-5-2', 'adaptive', false, false, 16_384],
    ['claude-something-new', 'adaptive', false, false, 16_384],
    ['glm-4.6', 'budget', true, true, 4096],
  ] as const)('%s', (model, thinking, takesSampling, takesBothSamplers, defaultMaxTokens) => {
    expect(claudeProfile(model)).toMatchObject({ thinking, takesSampling, takesBothSamplers, defaultMaxTokens });
  });

  it.each([
    ['gemini-1.5-pro', 'none', false],
    ['gemini-2.0-flash', 'none', false],
    ['gemini-2.5-flash-lite', 'budget', false],
    ['gemini-3-pro-preview', 'level', true],
    ['gemini-3.1-pro', 'level', true],
    ['gemini-4-argon', 'level', true],
    ['gemini-flash-latest', 'level', true],
    ['gemma-3-27b-it', 'none', false],
  ] as const)('%s', (model, thinking, checksSignatures) => {
    expect(geminiProfile(model)).toEqual({ thinking, checksSignatures });
  });

  it.each([
    ['gpt-4o', true, false],
    ['gpt-5', true, true],
    ['gpt-5.5-2026-04-23', true, true],
    ['gpt-5-chat-latest', true, false],
    ['o4-mini', true, true],
    ['openai/gpt-5.1', true, true],
    ['ft:gpt-4o-mini:x', true, false],
    ['llama-3.3-70b', false, false],
    ['gpt4all', false, false],
  ])('%s', (model, isOpenAi, isReasoning) => {
    expect(openAiProfile(model)).toMatchObject({ isOpenAi, isReasoning });
  });

  it.each([
    ['o3', 'none', 'low'],
    ['gpt-5', 'none', 'minimal'],
    ['gpt-5.1', 'none', 'none'],
    ['gpt-5.1', 'minimal', 'low'],
    ['gpt-5.1', 'max', 'high'],
    ['gpt-5.5', 'max', 'xhigh'],
    ['gpt-5.5', 'medium', 'medium'],
  ] as const)('%s: effort %s becomes %s', (model, effort, nearest) => {
    expect(openAiProfile(model).nearest(effort)).toBe(nearest);
  });
});
