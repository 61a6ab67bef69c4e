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

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

describe('requestFacts: maxima', () => {
  it.each<[Operation, object, number | null]>([
    ['chat', { max_tokens: 100 }, 100],
    ['chat', { max_tokens: 100, max_completion_tokens: 200 }, 200],
    ['chat', {}, null],
    ['chat', { max_tokens: null }, null],
    // servers differ in what they make of these: none of them can be relied on
    ['chat', { max_tokens: -1 }, null],
    ['chat', { max_tokens: 1.5 }, null],
    ['chat', { max_tokens: '100' }, null],
    ['chat', { max_tokens: 1e300 }, null],
    ['chat', { max_tokens: true }, null],
    ['chat', { max_tokens: -1, max_completion_tokens: 200 }, null],
    ['responses', { max_output_tokens: 7 }, 7],
    ['completions', { max_tokens: 9, prompt: 'x' }, 9],
    ['messages', { max_tokens: 1024 }, 1024],
    ['messages', { max_tokens: 0 }, 0],
    ['generate', { generationConfig: { maxOutputTokens: 5 } }, 5],
    ['generate', { generation_config: { max_output_tokens: 6 } }, 6],
    ['generate', { generationConfig: { maxOutputTokens: 5, max_output_tokens: 8 } }, 8],
    ['generate', { generationConfig: { maxOutputTokens: -5 } }, null],
    ['generate', { generationConfig: {} }, null],
    ['generate', { generationConfig: null }, null],
    ['generate', {}, null],
  ])('KEY-4: %s %j asks for %p', (operation, body, expected) => {
    expect(factsOf(operation, body).maxTokens).toBe(expected);
  });

  it.each<[Operation, object, number]>([
    ['chat', { n: 3 }, 3],
    ['chat', { n: 0 }, 1],
    ['completions', { n: 2, best_of: 5 }, 5],
    ['generate', { generationConfig: { candidateCount: 4 } }, 4],
    ['messages', { n: 3 }, 1],
  ])('KEY-4: %s %j asks for %p answers', (operation, body, expected) => {
    expect(factsOf(operation, body).answers).toBe(expected);
  });

  it('KEY-4: a thinking budget is a floor: below it the provider refuses', () => {
    expect(factsOf('messages', { thinking: { type: 'enabled', budget_tokens: 2048 } }).leastTokens).toBe(2049);
    expect(factsOf('messages', { thinking: { type: 'adaptive' } }).leastTokens).toBe(0);
  });
});

describe('requestFacts: what makes a call dearer', () => {
  it.each<[string, Operation, object, Partial<RequestFacts>]>([
    ['a tier', 'chat', { service_tier: 'Priority' }, { serviceTier: 'priority' }],
    ['a tier left open', 'chat', { service_tier: 'auto' }, { serviceTier: null }],
    ['fast mode', 'messages', { speed: 'fast' }, { serviceTier: 'fast' }],
    ['a region', 'messages', { inference_geo: 'us' }, { region: 'us' }],
    ['no cache', 'messages', { messages: [] }, { cacheWrites: 'none' }],
    [
      'a breakpoint in a message',
      'messages',
      { messages: [{ role: 'user', content: [{ type: 'text', text: 'x', cache_control: { type: 'ephemeral' } }] }] },
      { cacheWrites: 'short' },
    ],
    [
      'a breakpoint in a tool, for an hour',
      'messages',
      { tools: [{ name: 'f', input_schema: {}, cache_control: { type: 'ephemeral', ttl: '1h' } }] },
      { cacheWrites: 'long' },
    ],
    ['a cache over all', 'messages', { cache_control: { type: 'ephemeral' } }, { cacheWrites: 'short' }],
    ['longer retention', 'responses', { prompt_cache_retention: '24h' }, { cacheWrites: 'long' }],
    ['an earlier response', 'responses', { previous_response_id: 'resp_1', input: 'x' }, { storedInput: true }],
    ['a stored prompt', 'responses', { prompt: { id: 'pmpt_1' } }, { storedInput: true }],
    ['a prompt of its own', 'completions', { prompt: 'x' }, { storedInput: false }],
    ['a cached document', 'generate', { cachedContent: 'cachedContents/1' }, { storedInput: true }],
    ['sound', 'chat', { modalities: ['text', 'audio'] }, { asksForAudio: true }],
    ['speech', 'generate', { generationConfig: { responseModalities: ['AUDIO'] } }, { asksForAudio: true }],
    ['compaction', 'messages', { context_management: { edits: [{ type: 'compact_20260112' }] } }, { compacts: true }],
    [
      'edits without compaction',
      'messages',
      { context_management: { edits: [{ type: 'clear_tool_uses_20250919' }] } },
      { compacts: false },
    ],
    ['fallbacks', 'messages', { fallbacks: [{ model: 'a' }, { model: 'b' }] }, { fallbacks: ['a', 'b'] }],
    ['models a router may take', 'chat', { models: ['a', 'b'] }, { fallbacks: 'unknown' }],
    ['plugins a router may run', 'chat', { plugins: [{ id: 'web' }] }, { fallbacks: 'unknown' }],
    ['fallbacks it chooses', 'messages', { fallbacks: 'default' }, { fallbacks: 'unknown' }],
    ['a prediction', 'chat', { prediction: { type: 'content', content: 'abc' } }, { predictedBytes: 34 }],
    ['a limit on tool calls', 'responses', { max_tool_calls: 3 }, { maxToolCalls: 3 }],
  ])('KEY-4: %s', (_what, operation, body, expected) => {
    expect(factsOf(operation, body)).toMatchObject(expected);
  });

  it.each<[string, Operation, unknown, readonly object[]]>([
    ['functions', 'chat', [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }], []],
    ['tools without a type', 'messages', [{ name: 'f', description: 'x', input_schema: { type: 'web_search' } }], []],
    [
      'tools of the caller',
      'messages',
      [
        { type: 'bash_20250124', name: 'bash' },
        { type: 'custom', name: 'x' },
      ],
      [],
    ],
    [
      'searches',
      'messages',
      [{ type: 'web_search_20250305', name: 'web_search', max_uses: 5 }],
      [{ kind: 'web_search_20250305', maxUses: 5 }],
    ],
    ['searches without a limit', 'responses', [{ type: 'web_search' }], [{ kind: 'web_search', maxUses: null }]],
    [
      'an adviser',
      'messages',
      [{ type: 'advisor_20260301', name: 'advisor', model: 'claude-opus-5', max_uses: 2 }],
      [{ kind: 'advisor_20260301', maxUses: 2, model: 'claude-opus-5' }],
    ],
    [
      'an escaped type, behind other members',
      'messages',
      '[{"name":"web","max_uses":1,"ty\\u0070e":"web_se\\u0061rch_20250305"}]',
      [{ kind: 'web_search_20250305', maxUses: 1 }],
    ],
    ['function declarations', 'generate', [{ functionDeclarations: [{ name: 'f' }] }], []],
    [
      'grounding beside functions',
      'generate',
      [{ functionDeclarations: [], googleSearch: {} }, { url_context: {} }],
      [{ kind: 'googleSearch' }, { kind: 'url_context' }],
    ],
    ['what is no tool', 'chat', ['web_search', 7, null, [{ type: 'web_search' }]], []],
    ['no list', 'chat', { type: 'web_search' }, []],
  ])('KEY-4: tools: %s', (_what, operation, tools, expected) => {
    const body = typeof tools === 'string' ? `{"tools":${tools}}` : { tools };
    expect(factsOf(operation, body).serverTools).toEqual(expected.map((one) => expect.objectContaining(one)));
  });

  it('KEY-4: searches and servers that stand outside the tools are seen', () => {
    expect(factsOf('chat', { web_search_options: {} }).serverTools).toMatchObject([{ kind: 'web_search', maxUses: 1 }]);
    expect(factsOf('messages', { mcp_servers: [{ url: 'https://x.test' }] }).serverTools).toMatchObject([
      { kind: 'mcp' },
    ]);
    expect(factsOf('messages', { mcp_servers: [] }).serverTools).toEqual([]);
  });
});

describe('requestFacts: media', () => {
  const text = { type: 'text', text: 'look' };
  it.each<[string, Operation, object, object]>([
    [
      'an image in a chat message',
      'chat',
      {
        messages: [
          {
            role: 'user',
            content: [text, { type: 'image_url', image_url: { url: `data:image/png;base64,${PIXEL}` } }],
          },
        ],
      },
      { images: 1, payloadBytes: PIXEL.length },
    ],
    [
      'an image by address',
      'chat',
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://x.test/a.png' } }] }] },
      { images: 1, payloadBytes: 0 },
    ],
    [
      'sound',
      'chat',
      { messages: [{ role: 'user', content: [{ type: 'input_audio', input_audio: { data: PIXEL, format: 'wav' } }] }] },
      { sounds: 1, payloadBytes: PIXEL.length },
    ],
    [
      'an earlier answer in sound',
      'chat',
      { messages: [{ role: 'assistant', audio: { id: 'audio_1' } }] },
      { sounds: 1 },
    ],
    [
      'a file',
      'chat',
      { messages: [{ role: 'user', content: [{ type: 'file', file: { file_id: 'file-1' } }] }] },
      { others: 1 },
    ],
    [
      'an image in a Responses item',
      'responses',
      { input: [{ role: 'user', content: [{ type: 'input_image', image_url: `data:image/png;base64,${PIXEL}` }] }] },
      { images: 1, payloadBytes: PIXEL.length },
    ],
    ['a stored item', 'responses', { input: [{ type: 'item_reference', id: 'msg_1' }] }, { stored: true }],
    [
      'an image in a tool result',
      'messages',
      {
        messages: [
          {
            role: 'user',
            content: [
              {
                type: 'tool_result',
                tool_use_id: 't',
                content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } }],
              },
            ],
          },
        ],
      },
      { images: 1, payloadBytes: PIXEL.length },
    ],
    [
      'a PDF',
      'messages',
      { messages: [{ role: 'user', content: [{ type: 'document', source: { type: 'base64', data: PIXEL } }] }] },
      { others: 1, payloadBytes: PIXEL.length },
    ],
    [
      'inline data of Gemini',
      'generate',
      {
        contents: [
          {
            parts: [
              { inlineData: { mimeType: 'image/png', data: PIXEL } },
              { inline_data: { mime_type: 'video/mp4', data: PIXEL } },
            ],
          },
        ],
      },
      { images: 1, others: 1, payloadBytes: 2 * PIXEL.length },
    ],
    [
      'a file of Gemini',
      'generate',
      { contents: [{ parts: [{ fileData: { fileUri: 'https://x.test/f' } }] }] },
      { others: 1 },
    ],
  ])('KEY-4: %s', (_what, operation, body, expected) => {
    const facts = factsOf(operation, body);
    expect(facts.media).toMatchObject({ images: 0, sounds: 0, others: 0, stored: false, payloadBytes: 0, ...expected });
    const length = Buffer.byteLength(JSON.stringify(body));
    expect(facts.textBytes).toBe(length - (facts.media?.payloadBytes ?? 0));
  });

  it.each<[string, Operation, object]>([
    ['plain text', 'chat', { messages: [{ role: 'user', content: 'an image of a file' }] }],
    [
      'a document that is text',
      'messages',
      { messages: [{ role: 'user', content: [{ type: 'document', source: { type: 'text', data: 'all of it' } }] }] },
    ],
    [
      'names in tool schemas',
      'chat',
      { tools: [{ type: 'function', function: { parameters: { properties: { image: {}, file: {} } } } }] },
    ],
    ['the word alone', 'messages', { messages: [{ role: 'user', content: [{ type: 'text', text: 'image' }] }] }],
  ])('KEY-4: %s is no media', (_what, operation, body) => {
    const facts = factsOf(operation, body);
    expect(facts.media).toBeNull();
    expect(facts.textBytes).toBe(Buffer.byteLength(JSON.stringify(body)));
  });

  it('KEY-4: media and breakpoints spelled in escapes are found all the same', () => {
    const image = String.raw`{"messages":[{"role":"user","content":[{"t\u0079pe":"im\u0061ge_url","image\u005furl":{"url":"https://x.test"}}]}]}`;
    expect(factsOf('chat', image).media).toMatchObject({ images: 1 });
    const cache = String.raw`{"system":[{"type":"text","text":"x","c\u0061che_control":{"type":"ephemeral","ttl":"1\u0068"}}]}`;
    expect(factsOf('messages', cache).cacheWrites).toBe('long');
  });

  it('KEY-4: text that only pretends to be base64 stays text', () => {
    const body = {
      messages: [
        {
          role: 'user',
          content: [{ type: 'image_url', image_url: { url: 'data:,a whole novel, not base64 at all' } }],
        },
      ],
    };
    expect(factsOf('chat', body)).toMatchObject({ media: { images: 1, payloadBytes: 0 } });
  });
});
