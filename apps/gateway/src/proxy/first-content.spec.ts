import type { Operation } from '#libs/dialects/index.js';
import { beginningOf, type Beginning } from './first-content.js';

const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const named = (value: { readonly type: string; readonly [name: string]: unknown }): string =>
  `event: ${value.type}\n${data(value)}`;
const chunk = (delta: object, more: object = {}): string =>
  data({ id: 'c', choices: [{ index: 0, delta, finish_reason: null, ...more }] });
const block = (content: { readonly type: string; readonly [name: string]: unknown }): string =>
  named({ type: 'content_block_start', index: 0, content_block: content });
const parts = (...all: object[]): string =>
  data({ candidates: [{ content: { role: 'model', parts: all }, index: 0 }], usageMetadata: { totalTokenCount: 1 } });

describe('beginningOf', () => {
  it.each<[string, Operation, string, Beginning]>([
    ['the role of a chat', 'chat', chunk({ role: 'assistant', content: '' }), 'nothing'],
    ['the role with an empty refusal', 'chat', chunk({ role: 'assistant', content: '', refusal: null }), 'nothing'],
    ['the role without tool calls', 'chat', chunk({ role: 'assistant', tool_calls: null }), 'nothing'],
    ['the role with an empty list', 'chat', chunk({ role: 'assistant', content: null, tool_calls: [] }), 'nothing'],
    ['the role without reasoning', 'chat', chunk({ role: 'assistant', reasoning_content: null }), 'nothing'],
    ['the role with empty reasoning', 'chat', chunk({ role: 'assistant', reasoning_content: '' }), 'nothing'],
    ['the findings of a filter', 'chat', data({ choices: [], prompt_filter_results: [{}] }), 'nothing'],
    ['a comment', 'chat', ': processing\n\n', 'nothing'],
    ['a pause to keep', 'chat', 'retry: 100\n\n', 'nothing'],
    ['a text', 'chat', chunk({ content: 'a' }), 'content'],
    ['a tool call', 'chat', chunk({ role: 'assistant', content: null, tool_calls: [{ index: 0 }] }), 'content'],
    ['what nobody knows', 'chat', data({ id: 'c' }), 'content'],
    ['the end of a chat', 'chat', chunk({}, { finish_reason: 'stop' }), 'content'],
    ['usage', 'chat', data({ choices: [], usage: { prompt_tokens: 1 } }), 'nothing'],
    ['opening and text in one block', 'chat', chunk({ role: 'assistant' }) + chunk({ content: 'a' }), 'content'],
    ['the end of a stream without an answer', 'chat', 'data: [DONE]\n\n', 'junk'],
    ['what is no JSON', 'chat', 'data: not json\n\n', 'junk'],
    ['what is no object', 'messages', 'data: []\n\n', 'junk'],
    ['a text behind the mark of its encoding', 'chat', `\uFEFF${chunk({ content: 'a' })}`, 'content'],
    ['an empty completion', 'completions', data({ choices: [{ index: 0, text: '' }] }), 'nothing'],
    ['the start of a message', 'messages', named({ type: 'message_start' }) + named({ type: 'ping' }), 'nothing'],
    ['an empty text of a message', 'messages', block({ type: 'text', text: '' }), 'nothing'],
    ['an empty thought', 'messages', block({ type: 'thinking', thinking: '', signature: '' }), 'nothing'],
    ['a call of a tool', 'messages', block({ type: 'tool_use', id: 't', name: 'f', input: {} }), 'content'],
    ['the start of a response', 'responses', named({ type: 'response.created' }), 'nothing'],
    ['an item of a response', 'responses', named({ type: 'response.output_item.added', item: {} }), 'nothing'],
    ['a text of a response', 'responses', named({ type: 'response.output_text.delta', delta: 'a' }), 'content'],
    ['usage of Gemini', 'stream_generate', data({ usageMetadata: { promptTokenCount: 1 } }), 'nothing'],
    ['an empty text of Gemini', 'stream_generate', parts({ text: '' }), 'nothing'],
    ['a text of Gemini', 'stream_generate', parts({ text: 'a' }), 'content'],
    ['a call of Gemini', 'stream_generate', parts({ functionCall: { name: 'f', args: {} } }), 'content'],
    ['a prompt that was blocked', 'stream_generate', data({ promptFeedback: { blockReason: 'SAFETY' } }), 'content'],
    ['the end of Gemini', 'stream_generate', data({ candidates: [{ finishReason: 'STOP' }] }), 'content'],
  ])('RTE-3: %s', (_what, operation, events, expected) => {
    expect(beginningOf(operation, Buffer.from(events))).toBe(expected);
  });
});
