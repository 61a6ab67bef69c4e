import { AppError } from '#libs/platform/errors.js';
import { SURFACES, translation, type SurfaceName } from '#test/fakes/golden-translations.js';

function faultOf(run: () => unknown): { code: string; param: string | null } {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return { code: error.code, param: error.param };
    throw error;
  }
  return { code: 'none', param: null };
}

const others = (surface: SurfaceName): SurfaceName[] => SURFACES.filter((other) => other !== surface);
const user = { role: 'user', content: 'hi' };
const chat = (more: object): object => ({ model: 'm', messages: [user], ...more });
const message = (more: object): object => ({ model: 'm', max_tokens: 9, messages: [user], ...more });
const generate = (more: object): object => ({ contents: [{ role: 'user', parts: [{ text: 'hi' }] }], ...more });
const response = (more: object): object => ({ model: 'm', input: 'hi', ...more });

const CHAT: [string, object, string][] = [
  ['no messages', { model: 'm' }, 'messages'],
  ['an empty list of messages', chat({ messages: [] }), 'messages'],
  ['messages that are no list', chat({ messages: 'hi' }), 'messages'],
  ['a message that is no object', chat({ messages: [user, 'hi'] }), 'messages[1]'],
  ['an unknown role', chat({ messages: [{ role: 'robot', content: 'x' }] }), 'messages[0].role'],
  ['no role', chat({ messages: [{ content: 'x' }] }), 'messages[0].role'],
  ['content of a wrong type', chat({ messages: [{ role: 'user', content: 5 }] }), 'messages[0].content'],
  ['no content', chat({ messages: [{ role: 'user' }] }), 'messages[0].content'],
  [
    'an unknown part',
    chat({ messages: [{ role: 'user', content: [{ type: 'video', video: {} }] }] }),
    'messages[0].content[0].type',
  ],
  [
    'an image that is no URL',
    chat({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'cat.png' } }] }] }),
    'messages[0].content[0].image_url.url',
  ],
  [
    'a file path as image',
    chat({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'file:///etc/passwd' } }] }] }),
    'messages[0].content[0].image_url.url',
  ],
  [
    'a data URL that is not base64',
    chat({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:image/png,abc' } }] }] }),
    'messages[0].content[0].image_url.url',
  ],
  [
    'a result without its call id',
    chat({ messages: [user, { role: 'tool', content: 'x' }] }),
    'messages[1].tool_call_id',
  ],
  [
    'a call without a name',
    chat({ messages: [user, { role: 'assistant', tool_calls: [{ id: 'c', type: 'function', function: {} }] }] }),
    'messages[1].tool_calls[0].function.name',
  ],
  ['a temperature that is text', chat({ temperature: 'hot' }), 'temperature'],
  ['a temperature out of range', chat({ temperature: 3 }), 'temperature'],
  ['half a token', chat({ max_tokens: 0.5 }), 'max_tokens'],
  ['a stream flag that is text', chat({ stream: 'yes' }), 'stream'],
  ['several answers', chat({ n: 2 }), 'n'],
  ['an answer in audio', chat({ modalities: ['audio'] }), 'modalities'],
  ['a tool without a name', chat({ tools: [{ type: 'function', function: {} }] }), 'tools[0].function.name'],
  ['a tool that is text', chat({ tools: ['f'] }), 'tools[0]'],
  ['a tool demanded without tools', chat({ tool_choice: 'required' }), 'tool_choice'],
  [
    'a demanded tool that is not there',
    chat({
      tools: [{ type: 'function', function: { name: 'a' } }],
      tool_choice: { type: 'function', function: { name: 'b' } },
    }),
    'tool_choice',
  ],
  [
    'a schema that is text',
    chat({ response_format: { type: 'json_schema', json_schema: { name: 'x', schema: 'y' } } }),
    'response_format.json_schema.schema',
  ],
  ['an unknown effort', chat({ reasoning_effort: 'heroic' }), 'reasoning_effort'],
];

const MESSAGES: [string, object, string][] = [
  ['no max_tokens', { model: 'm', messages: [user] }, 'max_tokens'],
  ['no messages', { model: 'm', max_tokens: 9 }, 'messages'],
  ['an unknown role', message({ messages: [{ role: 'tool', content: 'x' }] }), 'messages[0].role'],
  [
    'an unknown block',
    message({ messages: [{ role: 'user', content: [{ type: 'hologram' }] }] }),
    'messages[0].content[0].type',
  ],
  [
    'an image without a source',
    message({ messages: [{ role: 'user', content: [{ type: 'image' }] }] }),
    'messages[0].content[0].source',
  ],
  [
    "a file of Anthropic's store",
    message({
      messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'file', file_id: 'file_1' } }] }],
    }),
    'messages[0].content[0].source.file_id',
  ],
  [
    'input that is no object',
    message({
      messages: [user, { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'b', input: '{}' }] }],
    }),
    'messages[1].content[0].input',
  ],
  ['a system prompt of a wrong type', message({ system: 7 }), 'system'],
  ['thinking without a budget', message({ thinking: { type: 'enabled' } }), 'thinking.budget_tokens'],
  ['a choice of an unknown type', message({ tool_choice: { type: 'maybe' } }), 'tool_choice.type'],
  [
    'a server tool demanded',
    message({
      tools: [{ type: 'web_search_20250305', name: 'web_search' }],
      tool_choice: { type: 'tool', name: 'web_search' },
    }),
    'tool_choice',
  ],
];

const GENERATE: [string, object, string][] = [
  ['no contents', {}, 'contents'],
  ['an unknown role', generate({ contents: [{ role: 'robot', parts: [] }] }), 'contents[0].role'],
  ['an empty part', generate({ contents: [{ role: 'user', parts: [{}] }] }), 'contents[0].parts[0]'],
  ['stored content', generate({ cachedContent: 'cachedContents/1' }), 'cachedContent'],
  ['several answers', generate({ generationConfig: { candidateCount: 3 } }), 'generationConfig.candidateCount'],
  [
    'an answer in pictures',
    generate({ generationConfig: { responseModalities: ['TEXT', 'IMAGE'] } }),
    'generationConfig.responseModalities',
  ],
  [
    "a file of Google's store",
    generate({
      contents: [{ parts: [{ fileData: { fileUri: 'https://generativelanguage.googleapis.com/v1beta/files/x' } }] }],
    }),
    'contents[0].parts[0].fileData.fileUri',
  ],
  [
    'a response without its call',
    generate({ contents: [{ role: 'user', parts: [{ functionResponse: { name: 'f', response: {} } }] }] }),
    'contents[0].parts[0].functionResponse',
  ],
  [
    'a schema of an unknown type',
    generate({ tools: [{ functionDeclarations: [{ name: 'f', parameters: { type: 'BLOB' } }] }] }),
    'tools[0].functionDeclarations[0].parameters.type',
  ],
];

const inline = (mimeType: string): object =>
  generate({ contents: [{ parts: [{ inlineData: { mimeType, data: 'AAAA' } }] }] });
const file = (fileData: object): object => generate({ contents: [{ parts: [{ fileData }] }] });

const RESPONSES: [string, object, string][] = [
  ['no input', { model: 'm' }, 'input'],
  ['input of a wrong type', response({ input: 5 }), 'input'],
  ['an unknown item', response({ input: [{ type: 'computer_call' }] }), 'input[0].type'],
  ['a stored conversation', response({ previous_response_id: 'resp_1' }), 'previous_response_id'],
  ['work in the background', response({ background: true }), 'background'],
  [
    'a part that cannot stand there',
    response({ input: [{ role: 'user', content: [{ type: 'refusal', refusal: 'x' }] }] }),
    'input[0].content[0].type',
  ],
  [
    'a hosted tool demanded',
    response({ tools: [{ type: 'web_search' }], tool_choice: { type: 'web_search' } }),
    'tool_choice.type',
  ],
];

describe.each([
  ['openai/chat', CHAT],
  ['anthropic/messages', MESSAGES],
  ['gemini/generate', GENERATE],
  ['openai/responses', RESPONSES],
] as const)('LLM-7: bad input of %s is refused by name, whatever the target', (surface, cases) => {
  it.each(cases)('%s', (_name, body, param) => {
    for (const other of others(surface))
      expect(faultOf(() => translation(surface, other, { body }))).toEqual({ code: 'invalid_request', param });
  });
});

describe('LLM-7: what a target cannot carry is refused by name', () => {
  const part = (content: object): object => chat({ messages: [{ role: 'user', content: [content] }] });
  const call = (args: string): object => ({ id: 'c1', type: 'function', function: { name: 'f', arguments: args } });
  it.each([
    [
      'a BMP image at Anthropic',
      'anthropic/messages',
      part({ type: 'image_url', image_url: { url: 'data:image/bmp;base64,Qk0=' } }),
      'messages[0].content[0].image_url.url',
    ],
    [
      'audio at Anthropic',
      'anthropic/messages',
      part({ type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } }),
      'messages[0].content[0].input_audio',
    ],
    [
      'a file id of another provider',
      'gemini/generate',
      part({ type: 'file', file: { file_id: 'file-1' } }),
      'messages[0].content[0].file.file_id',
    ],
    [
      'arguments that are no JSON object',
      'anthropic/messages',
      chat({ messages: [user, { role: 'assistant', tool_calls: [call('[1]')] }] }),
      'messages[1].tool_calls[0]',
    ],
    [
      'a result at Gemini whose call is unknown',
      'gemini/generate',
      chat({ messages: [user, { role: 'tool', tool_call_id: 'c9', content: 'x' }] }),
      'messages[1]',
    ],
    [
      'more stop sequences than Gemini takes',
      'gemini/generate',
      chat({ stop: ['1', '2', '3', '4', '5', '6'] }),
      'stop',
    ],
    [
      'only a system prompt at Anthropic',
      'anthropic/messages',
      chat({ messages: [{ role: 'system', content: 'x' }] }),
      'messages',
    ],
  ] as const)('%s', (_name, target, body, param) => {
    expect(faultOf(() => translation('openai/chat', target, { body }))).toEqual({ code: 'invalid_request', param });
  });
});

describe('LLM-7: files of a Gemini caller are never sent as what they are not', () => {
  it.each(['video/mp4', 'application/zip', 'text/csv', 'text/plain'])('%s', (mimeType) => {
    for (const target of ['openai/chat', 'openai/responses'] as const)
      expect(faultOf(() => translation('gemini/generate', target, { body: inline(mimeType) })).param).toBe(
        'contents[0].parts[0].inlineData',
      );
  });

  it('an address without a media type, and a video', () => {
    const fileUri = 'https://www.youtube.com/watch?v=x';
    for (const target of others('gemini/generate')) {
      const param = (body: object): string | null =>
        faultOf(() => translation('gemini/generate', target, { body })).param;
      expect(param(file({ fileUri }))).toBe('contents[0].parts[0].fileData.mimeType');
      expect(param(file({ fileUri, mimeType: 'video/mp4' }))).toBe('contents[0].parts[0].fileData.fileUri');
    }
  });
});

describe('LLM-7: hostile bodies', () => {
  it.each(['', 'x', '[]', 'null', '{"messages":', '{"a":1}{}'])('%j is no request', (body) => {
    for (const surface of SURFACES)
      for (const other of others(surface))
        expect(faultOf(() => translation(surface, other, { body })).code).toMatch(/^invalid_/);
  });

  it('what is nested too deeply is refused before it is read', () => {
    const schema = `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`;
    const body = `{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":${schema}}}]}`;
    expect(faultOf(() => translation('openai/chat', 'gemini/generate', { body })).code).toBe('json_too_deep');
  });

  it('a picture of 20 MB passes, and quickly', () => {
    const data = 'A'.repeat(20 * 1024 * 1024);
    const url = `data:image/png;base64,${data}`;
    const body = chat({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }] });
    const written = translation('openai/chat', 'anthropic/messages', { body }).body;
    expect(written.length).toBeGreaterThan(data.length);
  });

  it('many unknown fields make a short list of clean names', () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_none, i) => [`x${i}`, 1]));
    const body = chat({ ...many, 'bad\r\nname: é': 1 });
    const { dropped } = translation('openai/chat', 'anthropic/messages', { body });
    expect(dropped).toHaveLength(41);
    expect(dropped.at(-1)).toBe('and_461_more');
    for (const name of dropped) expect(name).toMatch(/^[\w.[\]:-]+$/);
  });

  it('a field with the name of a prototype member is a field', () => {
    const body = '{"model":"m","messages":[{"role":"user","content":"hi"}],"__proto__":{"a":1},"constructor":1}';
    expect(translation('openai/chat', 'anthropic/messages', { body }).dropped).toEqual(
      expect.arrayContaining(['constructor']),
    );
    const gemini =
      '{"contents":[{"parts":[{"text":"hi"}]}],"toolConfig":{"functionCallingConfig":{"mode":"constructor"}}}';
    expect(faultOf(() => translation('gemini/generate', 'openai/chat', { body: gemini })).param).toBe(
      'toolConfig.functionCallingConfig.mode',
    );
  });
});
