import type { Operation } from '#libs/dialects/index.js';
import { beginsContent } from './first-content.js';

const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const named = (value: { readonly type: string }): string => `event: ${value.type}\n${data(value)}`;
const chunk = (delta: object, more: object = {}): string =>
  data({ id: 'c', choices: [{ index: 0, delta, finish_reason: null, ...more }] });

describe('beginsContent', () => {
  it.each<[string, Operation, string, boolean]>([
    ['the role of a chat', 'chat', chunk({ role: 'assistant', content: '' }), false],
    ['the role with an empty refusal', 'chat', chunk({ role: 'assistant', content: '', refusal: null }), false],
    ['the findings of a filter', 'chat', data({ choices: [], prompt_filter_results: [{}] }), false],
    ['a comment', 'chat', ': processing\n\n', false],
    ['a text', 'chat', chunk({ content: 'a' }), true],
    ['a tool call', 'chat', chunk({ role: 'assistant', content: null, tool_calls: [{ index: 0 }] }), true],
    ['what nobody knows', 'chat', chunk({ role: 'assistant', reasoning_content: '' }), true],
    ['the end of a chat', 'chat', chunk({}, { finish_reason: 'stop' }), true],
    ['usage', 'chat', data({ choices: [], usage: { prompt_tokens: 1 } }), true],
    ['opening and text in one block', 'chat', chunk({ role: 'assistant' }) + chunk({ content: 'a' }), true],
    ['the start of a message', 'messages', named({ type: 'message_start' }) + named({ type: 'ping' }), false],
    ['a block of a message', 'messages', named({ type: 'content_block_start' }), true],
    ['the start of a response', 'responses', named({ type: 'response.created' }), false],
    ['an item of a response', 'responses', named({ type: 'response.output_item.added' }), true],
    ['anything of Gemini', 'stream_generate', data({ candidates: [] }), true],
  ])('RTE-3: %s', (_what, operation, events, expected) => {
    expect(beginsContent(operation, Buffer.from(events))).toBe(expected);
  });
});
