import { AppError } from '#libs/platform/errors.js';
import { decode, encode, golden, SURFACES, translation, type SurfaceName } from '#test/fakes/golden-translations.js';
import { recordings } from '#test/fakes/upstream/recordings.js';
import { EventSplitter } from './sse.js';

type Json = Record<string, unknown>;
const chunk = (delta: object, finish: string | null = null): Json => ({
  id: 'chatcmpl-1',
  created: 1,
  model: 'gpt',
  choices: [{ index: 0, delta, finish_reason: finish }],
});
const pairs = SURFACES.flatMap((provider) =>
  SURFACES.filter((caller) => caller !== provider).map((caller) => [provider, caller] as const),
);
const data = (text: string): Buffer => Buffer.from(`data: ${text}\n\n`);

describe('LLM-7: a translated stream', () => {
  it('writes nothing before the first content, so that another target can still be tried', () => {
    const stream = translation('openai/chat', 'anthropic/messages').stream();
    const [start, ping, open, ...more] = golden('anthropic/messages', 'streams')[0]!.in as Json[];
    expect(stream.push(encode('anthropic/messages', [start, ping, open]))).toBeNull();
    expect(stream.push(encode('anthropic/messages', more.slice(0, 1)))).not.toBeNull();
  });

  it('gives on every event at once', () => {
    for (const caller of ['openai/responses', 'anthropic/messages', 'gemini/generate'] as const) {
      const stream = translation(caller, 'openai/chat').stream();
      for (const content of ['a', 'b', 'c'])
        expect(stream.push(encode('openai/chat', [chunk({ content })]))?.toString()).toContain(`"${content}"`);
    }
  });

  it('shows usage to a chat caller only when asked', () => {
    const events = golden('anthropic/messages', 'streams')[0]!.in as Json[];
    const body = { model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }] };
    const stream = translation('openai/chat', 'anthropic/messages', { body }).stream();
    const out = Buffer.concat([stream.push(encode('anthropic/messages', events))!, stream.end()]);
    expect(out.toString()).not.toContain('"usage"');
    expect(out.toString().endsWith('data: [DONE]\n\n')).toBe(true);
  });

  it.each<[string, ...{ name?: string; index?: number; id?: string }[]]>([
    ['one index for all', { index: 0, id: 'a' }, { index: 0, id: 'b' }],
    ['no index', { id: 'a' }, { id: 'b' }],
    ['neither index nor id', {}, {}],
    ['no index, empty ids', { id: '' }, { id: '' }],
    ['one index for all, other names', { index: 0, name: 'f' }, { index: 0, name: 'g' }],
  ])('LLM-7: parallel calls stay apart: %s', (_name, ...told) => {
    const calls = told.map(({ name = 'f', ...rest }, at) => ({
      ...rest,
      type: 'function',
      function: { name, arguments: `{"n":${at}}` },
    }));
    const apart = calls.map((call) => chunk({ tool_calls: [call] }));
    for (const chunks of [apart, [chunk({ tool_calls: calls })]]) {
      const stream = translation('anthropic/messages', 'openai/chat').stream();
      const out = decode(stream.push(encode('openai/chat', [...chunks, chunk({}, 'tool_calls'), '[DONE]']))!) as Json[];
      const ids = out.flatMap(({ content_block: block }) => (block === undefined ? [] : [(block as Json).id]));
      expect(new Set(ids).size).toBe(2);
      expect(ids).not.toContain('');
      const args = out.flatMap(({ delta }) => (delta as Json | undefined)?.partial_json ?? []);
      expect(args).toEqual(['{"n":0}', '{"n":1}']);
    }
  });

  it('LLM-7: pieces find their call by its id where every call has the same index', () => {
    const piece = (id: string, args: string, name?: string): Json =>
      chunk({ tool_calls: [{ index: 0, id, function: { arguments: args, ...(name === undefined ? {} : { name }) } }] });
    const events = [piece('a', '{"n"', 'f'), piece('b', '{"m"', 'g'), piece('a', ':1}'), piece('b', ':2}', 'g')];
    const stream = translation('anthropic/messages', 'openai/chat').stream();
    const out = decode(stream.push(encode('openai/chat', [...events, chunk({}, 'tool_calls')]))!) as Json[];
    const args = out.flatMap(({ delta }) => (delta as Json | undefined)?.partial_json ?? []);
    expect(args.join('')).toBe('{"n":1}{"m":2}');
  });

  it('LLM-4: a Gemini caller without alt=sse reads a JSON array, broken streams too', () => {
    for (const one of golden('openai/chat', 'streams')) {
      const stream = translation('gemini/generate', 'openai/chat', { asJsonArray: true }).stream();
      const out = stream.push(encode('openai/chat', one.in as unknown[])) ?? Buffer.alloc(0);
      const elements = JSON.parse(out.toString() + stream.end().toString()) as unknown[];
      expect(elements).toEqual(one.out['gemini/generate']);
    }
  });

  it('turns calls of a free-text tool back into what the caller offered', () => {
    const body = {
      model: 'm',
      input: 'edit',
      stream: true,
      tools: [{ type: 'custom', name: 'apply_patch' }],
    };
    const { stream } = translation('openai/responses', 'anthropic/messages', { body });
    const translated = stream();
    const input = JSON.stringify({ input: '*** Begin\n"x"' });
    const events = [
      { type: 'message_start', message: { id: 'msg_1', model: 'c', usage: { input_tokens: 1, output_tokens: 1 } } },
      {
        type: 'content_block_start',
        index: 0,
        content_block: { type: 'tool_use', id: 't1', name: 'apply_patch', input: {} },
      },
      { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: input.slice(0, 14) } },
      { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: input.slice(14) } },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 5 } },
      { type: 'message_stop' },
    ];
    const out = decode(
      Buffer.concat([translated.push(encode('anthropic/messages', events))!, translated.end()]),
    ) as Json[];
    expect(out.find((event) => event.type === 'response.custom_tool_call_input.done')).toMatchObject({
      input: '*** Begin\n"x"',
    });
    expect((out.at(-1) as { response: { output: Json[] } }).response.output[0]).toMatchObject({
      type: 'custom_tool_call',
      call_id: 't1',
      name: 'apply_patch',
      input: '*** Begin\n"x"',
    });
  });
});

describe('LLM-8: a stream that breaks', () => {
  it.each(pairs)(
    '%s → %s: garbage, arrays and numbers become one error of the caller, never a throw',
    (provider, caller) => {
      for (const text of ['{"choices":', '[1]', '7', 'null', '<html>', '"text"']) {
        const stream = translation(caller, provider).stream();
        const out = stream.push(data(text))!;
        expect(out.toString()).toContain('error');
        expect(stream.failure?.code).toBe('upstream_invalid');
        expect(stream.push(data('{}'))).toBeNull();
        expect(stream.end()).toHaveLength(0);
      }
    },
  );

  it.each(pairs)('%s → %s: strange but valid JSON does not throw', (provider, caller) => {
    const odd = [
      '{}',
      '{"choices":[null]}',
      '{"choices":[{"delta":{"tool_calls":[{"function":7}]}}]}',
      '{"type":"content_block_delta","delta":{"type":"text_delta"}}',
      '{"type":"content_block_start","content_block":null}',
      '{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":[1]}}]}}]}',
      '{"type":"response.output_item.added","item":{"type":"function_call"}}',
    ];
    const stream = translation(caller, provider).stream();
    const out = odd.map((text) => stream.push(data(text))?.toString() ?? '');
    expect(out.join('') + stream.end().toString()).toContain('error');
    expect(stream.failure).not.toBeNull();
  });

  it.each(pairs)('%s → %s: what the provider reports as an error is known as one', (provider, caller) => {
    for (const one of golden(provider, 'streams').filter(({ name }) => /error|failed/.test(name))) {
      const stream = translation(caller, provider).stream();
      stream.push(encode(provider, one.in as unknown[]));
      expect(stream.failure?.code).toBe('upstream_failed');
      expect(stream.end()).toHaveLength(0);
    }
  });

  it.each(pairs)(
    '%s → %s: a whole answer that is none, or an error under status 200, is no answer',
    (provider, caller) => {
      const code = (body: string): string => {
        try {
          return translation(caller, provider).answer(Buffer.from(body)).toString();
        } catch (error) {
          return error instanceof AppError ? `${error.code}: ${error.message}` : 'not an AppError';
        }
      };
      for (const body of ['', 'x', '[]', '{}', '{"choices":null}', '{"choices":[]}', '<html>'])
        expect(code(body)).toContain('upstream_invalid');
      expect(code('{"error":{"message":"No capacity","type":"server_error"}}')).toBe('upstream_failed: No capacity');
    },
  );

  it.each(pairs)('%s → %s: an empty stream is an error', (provider, caller) => {
    const stream = translation(caller, provider).stream();
    expect(stream.end().toString()).toContain('broke off');
    expect(stream.failure?.code).toBe('upstream_cut');
  });

  it.each(pairs)('%s → %s: the gateway ends it with an error of its own', (provider, caller) => {
    const stream = translation(caller, provider).stream();
    stream.push(encode(provider, (golden(provider, 'streams')[0]!.in as unknown[]).slice(0, 3)));
    const out = stream.fail(new AppError('upstream_stalled')).toString();
    expect(out).toContain('stopped sending');
    expect(stream.end()).toHaveLength(0);
  });

  it.each(['openai/chat', 'openai/responses', 'anthropic/messages'] as const)(
    'Gemini → %s: a call that the model could not write is its bad output, no failure of the provider',
    (caller) => {
      const [one] = golden('gemini/generate', 'streams').filter(({ name }) => name === 'a malformed call');
      const stream = translation(caller, 'gemini/generate').stream();
      const out = stream.push(encode('gemini/generate', one?.in as unknown[]));
      expect(out?.toString()).toContain('Malformed function call');
      expect(stream.failure?.code).toBe('upstream_bad_output');
    },
  );

  it('an event larger than the bound ends it', () => {
    const stream = translation('openai/chat', 'anthropic/messages').stream();
    const piece = Buffer.alloc(1024 * 1024, 'x');
    let pushed = 0;
    while (stream.failure === null && pushed < 64) {
      stream.push(piece);
      pushed++;
    }
    expect(pushed).toBe(17);
    expect(stream.failure?.code).toBe('upstream_invalid');
  });

  const megabyte = 'x'.repeat(1024 * 1024);
  const piece = (index: number, args: string): object => ({
    tool_calls: [{ index, id: `c${index}`, type: 'function', function: { name: `f${index}`, arguments: args } }],
  });
  const call = (args: string): Json => chunk(piece(0, args));
  const thought = (thinking: string): Json => ({
    type: 'content_block_delta',
    index: 0,
    delta: { type: 'thinking_delta', thinking },
  });
  const tools = [{ type: 'custom', name: 'f0' }];
  it.each<[string, SurfaceName, SurfaceName, Json, object]>([
    ['arguments for Gemini', 'openai/chat', 'gemini/generate', call(megabyte), {}],
    ['a second call', 'openai/chat', 'anthropic/messages', chunk(piece(1, megabyte)), {}],
    ['text behind a call', 'openai/chat', 'anthropic/messages', chunk({ content: megabyte }), {}],
    ['a custom call', 'openai/chat', 'openai/responses', call(megabyte), { body: { model: 'm', input: 'x', tools } }],
    ['thoughts', 'anthropic/messages', 'openai/chat', thought(megabyte), {}],
    ['an item of a response', 'openai/chat', 'openai/responses', chunk({ content: megabyte }), {}],
  ])('%s that waits for its end is bounded', (_what, provider, caller, event, options) => {
    const stream = translation(caller, provider, options).stream();
    if (provider === 'openai/chat' && caller !== 'openai/responses') stream.push(encode(provider, [call('')]));
    const bytes = encode(provider, [event]);
    let pushed = 0;
    while (stream.failure === null && pushed < 64) {
      stream.push(bytes);
      pushed++;
    }
    expect(pushed).toBeGreaterThan(14);
    expect(pushed).toBeLessThan(18);
    expect(stream.failure?.code).toBe('upstream_invalid');
  });

  it('an event of many lines is bounded', () => {
    const stream = translation('openai/chat', 'anthropic/messages').stream();
    let pushed = 0;
    while (stream.failure === null && pushed < 64) {
      stream.push(Buffer.from(`data: ${megabyte}\n`));
      pushed++;
    }
    expect(pushed).toBeLessThan(18);
    expect(stream.failure?.code).toBe('upstream_invalid');
  });

  it('a call whose arguments are no JSON reaches no Gemini caller', () => {
    const call = { index: 0, id: 'c', type: 'function', function: { name: 'f', arguments: 'rm -rf' } };
    const stream = translation('gemini/generate', 'openai/chat').stream();
    const out = stream.push(encode('openai/chat', [chunk({ tool_calls: [call] }), chunk({}, 'tool_calls')]))!;
    expect(out.toString()).not.toContain('functionCall');
    expect(stream.failure?.code).toBe('upstream_bad_output');
  });
});

describe('LLM-7: arguments that are no JSON object', () => {
  const call = (args: string): Json =>
    chunk({ tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: args } }] });
  const run = (chunks: unknown[]): { types: unknown[]; failure: string | undefined } => {
    const stream = translation('anthropic/messages', 'openai/chat').stream();
    const out = stream.push(encode('openai/chat', chunks))!;
    const types = decode(Buffer.concat([out, stream.end()])).map((event) => (event as Json).type);
    return { types, failure: stream.failure?.code };
  };

  it.each(['{"path":"/tmp/x', '[1]', '"x"', '5'])('%s: an Anthropic caller gets an error in the open block', (args) => {
    const { types, failure } = run([call(args), chunk({}, 'tool_calls'), '[DONE]']);
    expect(types).toEqual(['message_start', 'content_block_start', 'content_block_delta', 'error']);
    expect(failure).toBe('upstream_bad_output');
  });

  it('before another call begins', () => {
    const next = chunk({ tool_calls: [{ index: 1, id: 'b', function: { name: 'g', arguments: '{}' } }] });
    const { types } = run([call('{"a'), next, chunk({}, 'tool_calls'), '[DONE]']);
    expect(types.filter((type) => type === 'content_block_start')).toHaveLength(1);
    expect(types.at(-1)).toBe('error');
  });

  it('a call that the limit cut off ends as the stop reason says', () => {
    const { types, failure } = run([call('{"a'), chunk({}, 'length'), '[DONE]']);
    expect(types.slice(-3)).toEqual(['content_block_stop', 'message_delta', 'message_stop']);
    expect(failure).toBeUndefined();
  });
});

describe('LLM-7: recordings of the providers', () => {
  const recorded: [SurfaceName, keyof typeof recordings][] = [
    ['openai/chat', 'chatStream'],
    ['openai/chat', 'chatStreamUsageOnChoice'],
    ['openai/chat', 'chatStreamAzure'],
    ['openai/responses', 'responsesStream'],
    ['anthropic/messages', 'messagesStream'],
    ['anthropic/messages', 'messagesStreamSparseUsage'],
    ['gemini/generate', 'generateStream'],
  ];
  it.each(recorded)('%s %s come out whole at every caller', (provider, name) => {
    for (const caller of SURFACES.filter((one) => one !== provider)) {
      const stream = translation(caller, provider).stream();
      const out = stream.push(Buffer.from(recordings[name].frames.join('')))!;
      const events = decode(Buffer.concat([out, stream.end()]));
      expect(stream.failure).toBeNull();
      expect(events.length).toBeGreaterThan(3);
    }
  });
});

describe('EventSplitter', () => {
  it('skips a byte order mark, also one that is cut', () => {
    const bytes = Buffer.from('\ufeffdata: 1\n\ndata: \ufeff2\n\n');
    for (const at of [0, 1, 2, 3, 9]) {
      const seen: string[] = [];
      const splitter = new EventSplitter((text) => seen.push(text));
      for (const piece of [bytes.subarray(0, at), bytes.subarray(at)]) splitter.push(piece);
      expect(seen).toEqual(['1', '\ufeff2']);
    }
  });

  it('takes CRLF, several data lines, comments and a last event without its blank line', () => {
    const seen: string[] = [];
    const splitter = new EventSplitter((text) => seen.push(text));
    splitter.push(Buffer.from(': ping\r\nevent: x\r\ndata: 1\r\n\r\ndata:2\ndata: 3\nid: 7\n\n\ndata: 4'));
    splitter.end();
    expect(seen).toEqual(['1', '2\n3', '4']);
  });
});
