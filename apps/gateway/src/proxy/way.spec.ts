import type { Operation } from '#libs/dialects/index.js';
import type { Provider } from '#libs/providers/index.js';
import { providerOf } from '#test/fakes/any-call.js';
import { wayTo } from './way.js';

const openai = providerOf({ name: 'openai', type: 'openai' });
const local = providerOf({ name: 'local', type: 'openai-compatible', chatOnly: ['*'], responsesOnly: ['deep'] });
const anthropic = providerOf({ name: 'anthropic', type: 'anthropic' });
const google = providerOf({ name: 'google', type: 'google' });

function asked(operation: Operation, provider: Provider, model: string, stream: boolean): string {
  const target = { provider, model, requested: model, longContext: false, alsoKnownAs: [] };
  const way = wayTo({ operation, stream }, target);
  expect(wayTo({ operation, stream }, target)).toBe(way);
  return way === null ? 'none' : `${way.operation}${way.translator === null ? '' : ', translated'}`;
}

describe('wayTo', () => {
  it.each<[Operation, string, Provider, string]>([
    ['chat', 'gpt-5.5', openai, 'chat'],
    ['responses', 'gpt-5.5', openai, 'responses'],
    ['chat', 'gpt-5.3-codex', openai, 'responses, translated'],
    ['messages', 'gpt-5.3-codex', openai, 'responses, translated'],
    ['generate', 'o3-pro', openai, 'responses, translated'],
    ['messages', 'gpt-5.5', openai, 'chat, translated'],
    ['responses', 'qwen', local, 'chat, translated'],
    ['chat', 'deep', local, 'responses, translated'],
    ['responses', 'deep', local, 'responses'],
    ['responses', 'claude-sonnet-5', anthropic, 'messages, translated'],
    ['embeddings', 'e5', local, 'embeddings'],
    ['embeddings', 'claude-sonnet-5', anthropic, 'none'],
    ['count_tokens', 'gpt-5.5', openai, 'none'],
  ])('LLM-7: %s of %s', (operation, model, provider, expected) => {
    for (const stream of [false, true]) expect(asked(operation, provider, model, stream)).toBe(expected);
  });

  it('LLM-7: Gemini is asked for a stream at a path of its own', () => {
    expect(asked('chat', google, 'gemini-3.5-flash', false)).toBe('generate, translated');
    expect(asked('chat', google, 'gemini-3.5-flash', true)).toBe('stream_generate, translated');
  });
});
