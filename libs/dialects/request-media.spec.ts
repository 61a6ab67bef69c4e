import type { DialectName, Operation } from './dialect.js';
import { requestFacts, type RequestFacts } from './request-facts.js';
import { REQUEST_FIELDS } from './request-fields.js';
import { scanObject } from './scan.js';

const DIALECT: Partial<Record<Operation, DialectName>> = {
  messages: 'anthropic',
  generate: 'gemini',
  stream_generate: 'gemini',
};

function factsOf(operation: Operation, body: unknown): RequestFacts {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return requestFacts(operation, bytes, scanObject(bytes, REQUEST_FIELDS[DIALECT[operation] ?? 'openai']));
}

describe('requestFacts: answers and prompts', () => {
  it.each<[object, number, number]>([
    [{ prompt: 'a' }, 1, 0],
    [{ prompt: ['a', 'b', 'c'], n: 2 }, 6, 0],
    [{ prompt: ['a', 'b'], n: 2, best_of: 5 }, 10, 0],
    [{ prompt: [1, 22, 333] }, 1, 3],
    [{ prompt: [[1, 2], [3], [4, 5, 6]], n: 2 }, 6, 6],
    [{ prompt: [] }, 1, 0],
    [{ prompt: ['a', [1]] }, 2, 0],
  ])('KEY-4: completions of %j: %i answers, %i tokens as ids', (body, answers, idTokens) => {
    const facts = factsOf('completions', body);
    expect(facts).toMatchObject({ answers, idTokens });
    // ids are counted, all else by its bytes
    const ids = idTokens === 0 ? 0 : JSON.stringify((body as { prompt: unknown }).prompt).length;
    expect(facts.textBytes).toBe(JSON.stringify(body).length - ids);
  });

  it('KEY-4: embeddings of token ids count the ids', () => {
    expect(factsOf('embeddings', { input: [[100_000, 2], [3]] })).toMatchObject({
      answers: 1,
      idTokens: 3,
      textBytes: 10,
    });
    expect(factsOf('embeddings', { input: ['a', 'b'] })).toMatchObject({ answers: 1, idTokens: 0 });
  });

  it.each<[Operation, object, string | null]>([
    ['chat', { n: 3 }, null],
    ['chat', { n: null }, null],
    ['chat', { n: '3' }, 'n'],
    ['chat', { n: 2.5 }, 'n'],
    ['chat', { n: 0 }, 'n'],
    ['chat', { n: -1 }, 'n'],
    ['chat', { n: [9] }, 'n'],
    ['chat', { n: true }, 'n'],
    ['completions', { best_of: '9' }, 'best_of'],
    ['completions', '{"prompt":"x","n":1e2}' as unknown as object, 'n'],
    ['responses', { n: '3' }, null],
    ['generate', { generationConfig: { candidateCount: 2 } }, null],
    ['generate', { generationConfig: { candidateCount: '2' } }, 'generationConfig.candidateCount'],
    ['generate', { generation_config: { candidate_count: 1.5 } }, 'generationConfig.candidateCount'],
    ['generate', { generationConfig: { candidateCount: 1, candidate_count: 0 } }, 'generationConfig.candidateCount'],
  ])('KEY-4: %s %j states its answers unclearly: %p', (operation, body, field) => {
    expect(factsOf(operation, body).unclearAnswers).toBe(field);
  });
});

describe('requestFacts: media only where the dialect has media', () => {
  const data = 'A'.repeat(4000);
  const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data } };
  const url = { type: 'image_url', image_url: { url: `data:image/png;base64,${data}` } };
  const inline = { inlineData: { mimeType: 'image/png', data } };
  it.each<[string, Operation, object]>([
    [
      'tool_use.input',
      'messages',
      { messages: [{ role: 'assistant', content: [{ type: 'tool_use', input: image }] }] },
    ],
    ['a foreign part', 'messages', { messages: [{ role: 'user', content: [url] }] }],
    ['functionCall.args', 'generate', { contents: [{ parts: [{ functionCall: { args: inline } }] }] }],
    ['functionResponse.response', 'generate', { contents: [{ parts: [{ functionResponse: { response: inline } }] }] }],
    [
      'tool_calls',
      'chat',
      { messages: [{ role: 'assistant', tool_calls: [{ function: { arguments: { a: url } } }] }] },
    ],
    ['function_call.arguments', 'responses', { input: [{ type: 'function_call', arguments: [url] }] }],
    ['metadata', 'chat', { metadata: url, messages: [{ role: 'user', content: [{ type: 'file_id', text: 'x' }] }] }],
  ])('KEY-4: in %s it is text', (_where, operation, body) => {
    const facts = factsOf(operation, body);
    expect(facts.media).toBeNull();
    expect(facts.textBytes).toBe(JSON.stringify(body).length);
  });

  it.each<[string, Operation, object]>([
    ['a tool result', 'messages', { messages: [{ content: [{ type: 'tool_result', content: [image] }] }] }],
    [
      'a document of blocks',
      'messages',
      { messages: [{ content: [{ type: 'document', source: { type: 'content', content: [image] } }] }] },
    ],
    [
      'a function’s output',
      'responses',
      { input: [{ type: 'function_call_output', output: [{ type: 'input_image', image_url: url.image_url.url }] }] },
    ],
    ['a function’s parts', 'generate', { contents: [{ parts: [{ functionResponse: { parts: [inline] } }] }] }],
    ['a single content', 'generate', { contents: { parts: inline } }],
    ['a system instruction', 'generate', { systemInstruction: { parts: [inline] } }],
  ])('KEY-4: in %s it is an image', (_where, operation, body) => {
    expect(factsOf(operation, body).media).toMatchObject({ images: 1, payloadBytes: data.length });
  });
});
