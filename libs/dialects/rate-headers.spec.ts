import { AppError } from '#libs/platform/errors.js';
import { anthropic } from './anthropic/anthropic.js';
import type { Dialect } from './dialect.js';
import { gemini } from './gemini/gemini.js';
import { openai } from './openai/openai.js';

const state = {
  requests: { limit: 60, remaining: 0, resetMs: 5_200 },
  tokens: { limit: 1000, remaining: 10, resetMs: 60_000 },
};

describe('rate limits in headers', () => {
  it('OpenAI: counts and durations', () => {
    expect(openai.rateHeaders(state, 0)).toEqual({
      'x-ratelimit-limit-requests': '60',
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-requests': '6s',
      'x-ratelimit-limit-tokens': '1000',
      'x-ratelimit-remaining-tokens': '10',
      'x-ratelimit-reset-tokens': '1m0s',
    });
    const soon = { requests: { limit: 1, remaining: 0, resetMs: 820.4 }, tokens: null };
    expect(openai.rateHeaders(soon, 0)['x-ratelimit-reset-requests']).toBe('821ms');
  });

  it('Anthropic: counts and moments', () => {
    expect(anthropic.rateHeaders(state, Date.UTC(2026, 0, 1))).toEqual({
      'anthropic-ratelimit-requests-limit': '60',
      'anthropic-ratelimit-requests-remaining': '0',
      'anthropic-ratelimit-requests-reset': '2026-01-01T00:00:05Z',
      'anthropic-ratelimit-tokens-limit': '1000',
      'anthropic-ratelimit-tokens-remaining': '10',
      'anthropic-ratelimit-tokens-reset': '2026-01-01T00:01:00Z',
    });
  });

  it('what has no limit has no header; the Gemini API has none at all', () => {
    expect(openai.rateHeaders({ requests: null, tokens: null }, 0)).toEqual({});
    expect(anthropic.rateHeaders({ requests: null, tokens: null }, 0)).toEqual({});
    expect(gemini.rateHeaders(state, 0)).toEqual({});
  });

  it.each<[Dialect, object]>([
    [openai, { error: { type: 'rate_limit_error', code: 'rate_limit_exceeded' } }],
    [anthropic, { type: 'error', error: { type: 'rate_limit_error' } }],
    [gemini, { error: { code: 429, status: 'RESOURCE_EXHAUSTED' } }],
  ])('KEY-1: a refusal of %# may be sent again after its time; a hopeless one may not', (dialect, body) => {
    const refusal = dialect.renderError(new AppError('rate_limit_exceeded', { text: 'Too much.', retryAfterS: 7 }));
    expect(refusal.status).toBe(429);
    expect(refusal.headers).toMatchObject({ 'retry-after': '7', 'x-smartflow-error': 'rate_limit_exceeded' });
    expect(refusal.headers).not.toHaveProperty('x-should-retry');
    expect(JSON.parse(refusal.body)).toMatchObject(body);
    expect(refusal.body).toContain('Too much.');
    const hopeless = dialect.renderError(new AppError('rate_limit_exceeded'));
    expect(hopeless.headers).toMatchObject({ 'x-should-retry': 'false' });
    expect(hopeless.headers).not.toHaveProperty('retry-after');
  });
});
