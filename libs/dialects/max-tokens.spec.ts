import type { DialectName, Operation } from './dialect.js';
import { maxTokensEdits } from './max-tokens.js';
import { requestFacts } from './request-facts.js';
import { REQUEST_FIELDS } from './request-fields.js';
import { scanObject, splice } from './scan.js';

const DIALECT: Partial<Record<Operation, DialectName>> = {
  messages: 'anthropic',
  generate: 'gemini',
  stream_generate: 'gemini',
};

describe('requestFacts: which maximum is read', () => {
  const own = (operation: Operation, body: object, chat?: 'max_tokens' | 'max_completion_tokens') => {
    const bytes = Buffer.from(JSON.stringify(body));
    const { maxTokens, wishedTokens } = requestFacts(operation, bytes, scanObject(bytes, REQUEST_FIELDS.openai), chat);
    return [maxTokens, wishedTokens];
  };
  it.each<[Operation, object, 'max_tokens' | 'max_completion_tokens', number | null, number | null]>([
    ['chat', { max_completion_tokens: 200 }, 'max_completion_tokens', 200, null],
    ['chat', { max_tokens: null, max_completion_tokens: 200 }, 'max_completion_tokens', 200, null],
    ['chat', { max_tokens: 100 }, 'max_completion_tokens', 100, null],
    ['chat', { max_completion_tokens: 200 }, 'max_tokens', null, 200],
    ['chat', { max_tokens: 100, max_completion_tokens: 200 }, 'max_tokens', 200, 200],
    ['chat', { max_tokens: 100, max_completion_tokens: 'many' }, 'max_tokens', null, null],
    ['chat', { max_output_tokens: 5 }, 'max_completion_tokens', null, null],
    ['responses', { max_tokens: 5 }, 'max_completion_tokens', null, null],
    ['responses', { max_completion_tokens: 5 }, 'max_completion_tokens', null, null],
    ['completions', { max_completion_tokens: 5 }, 'max_completion_tokens', null, null],
    ['completions', { max_output_tokens: 5, max_tokens: 7 }, 'max_tokens', 7, null],
  ])('KEY-4: %s %j where %s is read: %p', (operation, body, chat, maxTokens, wishedTokens) => {
    expect(own(operation, body, chat)).toEqual([maxTokens, wishedTokens]);
  });
});

describe('maxTokensEdits', () => {
  const edited = (operation: Operation, body: string, chat: 'max_tokens' | 'max_completion_tokens' = 'max_tokens') => {
    const bytes = Buffer.from(body);
    const scanned = scanObject(bytes, REQUEST_FIELDS[DIALECT[operation] ?? 'openai']);
    return splice(bytes, maxTokensEdits(operation, bytes, scanned, 64, chat)).toString();
  };
  it.each<[Operation, string, string]>([
    ['chat', '{"model":"m"}', '{"model":"m","max_tokens":64}'],
    ['chat', '{}', '{"max_tokens":64}'],
    ['chat', '{ "max_tokens" : 128000 , "a":1}', '{ "max_tokens" : 64 , "a":1}'],
    ['chat', '{"max_tokens":1,"max_completion_tokens":2}', '{"max_tokens":64,"max_completion_tokens":64}'],
    ['chat', '{"max_completion_tokens":9}', '{"max_completion_tokens":64,"max_tokens":64}'],
    ['chat', '{"max_completion_tokens":null}', '{"max_completion_tokens":null,"max_tokens":64}'],
    ['chat', '{"max_tokens":null}', '{"max_tokens":64}'],
    ['chat', '{"max_output_tokens":9}', '{"max_output_tokens":9,"max_tokens":64}'],
    ['responses', '{"max_tokens":9}', '{"max_tokens":9,"max_output_tokens":64}'],
    ['completions', '{"max_completion_tokens":9}', '{"max_completion_tokens":9,"max_tokens":64}'],
    ['responses', '{"input":"x"}', '{"input":"x","max_output_tokens":64}'],
    ['completions', '{"prompt":"x"}', '{"prompt":"x","max_tokens":64}'],
    ['messages', '{"max_tokens":9}', '{"max_tokens":64}'],
    ['messages', '{}', '{"max_tokens":64}'],
    ['generate', '{"contents":[]}', '{"contents":[],"generationConfig":{"maxOutputTokens":64}}'],
    ['generate', '{"generationConfig":{}}', '{"generationConfig":{"maxOutputTokens":64}}'],
    ['generate', '{"generationConfig":{"topK":1}}', '{"generationConfig":{"topK":1,"maxOutputTokens":64}}'],
    ['generate', '{"generation_config":{"max_output_tokens":9}}', '{"generation_config":{"max_output_tokens":64}}'],
    ['generate', '{"generationConfig":null}', '{"generationConfig":{"maxOutputTokens":64}}'],
    ['generate', '{"generationConfig":7}', '{"generationConfig":7}'],
    ['embeddings', '{"input":"x"}', '{"input":"x"}'],
  ])('KEY-4: %s %s', (operation, body, expected) => {
    expect(edited(operation, body)).toBe(expected);
  });

  it('KEY-4: OpenAI’s own chat route gets the newer name', () => {
    expect(edited('chat', '{}', 'max_completion_tokens')).toBe('{"max_completion_tokens":64}');
    expect(edited('chat', '{"max_tokens":9}', 'max_completion_tokens')).toBe('{"max_tokens":64}');
    const nulls = '{"max_tokens":null,"max_completion_tokens":null}';
    expect(edited('chat', nulls, 'max_completion_tokens')).toBe('{"max_tokens":null,"max_completion_tokens":64}');
  });
});
