import { anthropic } from './anthropic/anthropic.js';
import { gemini } from './gemini/gemini.js';
import { openai } from './openai/openai.js';
import { withoutUsageChunk } from './openai/stream.js';

const ends = (tail: string, head = '') => ({ head: Buffer.from(head), tail: Buffer.from(tail) });

describe('usage of OpenAI answers', () => {
  it('KEY-5: chat: cached tokens are part of the prompt, reasoning part of the completion', () => {
    const body =
      '{"choices":[{"message":{"content":"\\"usage\\":{}"}}],"usage":{"prompt_tokens":100,"completion_tokens":50,"prompt_tokens_details":{"cached_tokens":40},"completion_tokens_details":{"reasoning_tokens":30}}}';
    expect(openai.usageOfBody('chat', Buffer.from(body))).toMatchObject({
      inputTokens: 100,
      cachedInputTokens: 40,
      outputTokens: 50,
      reasoningTokens: 30,
    });
  });

  it('KEY-5: usage counts on whatever chunk it stands, nulls before and after it', () => {
    const tail =
      'data: {"choices":[{"delta":{}}],"usage":null}\n\ndata: {"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\ndata: {"choices":[],"usage":null}\n\ndata: [DONE]\n\n';
    expect(openai.usageOfStream('chat', ends(tail))).toMatchObject({ inputTokens: 7, outputTokens: 3 });
  });

  it('KEY-5: responses: usage inside response.completed', () => {
    const tail =
      'event: response.completed\ndata: {"type":"response.completed","response":{"output":[],"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":1}},"metadata":{}}}\n\n';
    expect(openai.usageOfStream('responses', ends(tail))).toMatchObject({
      inputTokens: 9,
      cachedInputTokens: 4,
      cacheWrite5mTokens: 2,
      outputTokens: 5,
      reasoningTokens: 1,
    });
    expect(openai.endingOf('responses', Buffer.from(tail))).toBe('done');
  });

  it.each([
    [
      'n > 1, one choice finished, the other cut',
      '{"choices":[{"index":0,"finish_reason":"stop"}]}\n\ndata: {"choices":[{"index":1,"finish_reason":null}]}',
      'cut',
    ],
    [
      'no [DONE] but a reason, then usage',
      '{"choices":[{"finish_reason":"stop"}]}\n\ndata: {"choices":[],"usage":{}}',
      'done',
    ],
    [
      'an error inside a chunk, as OpenRouter sends it',
      '{"id":"x","error":{"message":"m"},"choices":[{"finish_reason":"error"}]}',
      'failed',
    ],
    ['an error that is none', '{"error":null,"choices":[{"finish_reason":"stop"}]}', 'done'],
    ['CRLF', '{"choices":[]}\r\n\r\ndata: [DONE]', 'done'],
  ])('LLM-8: %s', (_name, frames, ending) => {
    expect(openai.endingOf('chat', Buffer.from(`data: ${frames}\n\n`))).toBe(ending);
  });

  it('LLM-8: a stream without [DONE] or a finish reason did not end', () => {
    expect(
      openai.endingOf('chat', Buffer.from('data: {"choices":[{"delta":{"content":"a"},"finish_reason":null}]}\n\n')),
    ).toBe('cut');
    expect(openai.endingOf('chat', Buffer.from('data: [DONE]\n\n'))).toBe('done');
  });
});

describe('usage counts only where a provider reports it', () => {
  const told = { prompt_tokens: 7, completion_tokens: 3 };
  const lie = { usage: { prompt_tokens: 1, completion_tokens: 1 } };
  const event = (data: object, end = '\n') => `data: ${JSON.stringify(data)}${end}${end}`;
  it.each<[string, string, number | null]>([
    ['on a chunk', event({ choices: [], usage: told }), 7],
    ['with CRLF', event({ choices: [], usage: told }, '\r\n'), 7],
    [
      'not in a comment',
      `: {"usage":{"prompt_tokens":1}}\n\n${event({ usage: told })}: {"usage":{"prompt_tokens":1}}\n\n`,
      7,
    ],
    ['not deeper in a later chunk', event({ usage: told }) + event({ choices: [{ delta: { tool: lie } }] }), 7],
    ['not deeper, and nowhere else', event({ choices: [{ delta: lie }] }), null],
    ['in the choice, as Moonshot says it', event({ choices: [{ index: 0, delta: lie, usage: told }] }), 7],
    ['below x_groq', event({ choices: [], x_groq: { id: 'r', usage: told } }), 7],
    [
      'at the end of a long answer passed on unread',
      `b"}}],"x":${JSON.stringify(lie)},"usage":${JSON.stringify(told)}}`,
      7,
    ],
    ['not deeper in such an answer', `b"}}],"usage":${JSON.stringify(told)},"x":${JSON.stringify(lie)}}`, 7],
  ])('KEY-5: OpenAI: %s', (_name, tail, inputTokens) => {
    expect(openai.usageOfStream('chat', ends(tail))?.inputTokens ?? null).toBe(inputTokens);
  });

  it('KEY-5: Anthropic: a comment, CRLF and a tool’s argument change nothing; both events are merged', () => {
    const start = {
      type: 'message_start',
      message: { content: [{ input: lie }], usage: { input_tokens: 10, output_tokens: 1 } },
    };
    const head = `: ping "usage":{"input_tokens":1}\r\n\r\n${event(start, '\r\n')}`;
    const tail = event({ type: 'message_delta', usage: { output_tokens: 42 } }, '\r\n') + event({ delta: lie }, '\r\n');
    expect(anthropic.usageOfStream('messages', ends(tail, head))).toMatchObject({ inputTokens: 10, outputTokens: 42 });
  });

  it.each([
    [
      'events',
      'data: {"usageMetadata":{"promptTokenCount":5}}\r\n\r\ndata: {"candidates":[{"args":{"usageMetadata":{"promptTokenCount":1}}}]}\r\n\r\n',
    ],
    [
      'an array',
      '"}]},{"candidates":[{"args":{"usageMetadata":{"promptTokenCount":1}}}],"usageMetadata":{"promptTokenCount":5}}\n]\n',
    ],
    [
      'an array that is cut',
      '"}]},{"usageMetadata":{"promptTokenCount":5},"candidates":[{"args":{"usageMetadata":{"promptTokenCount":1}}}]}',
    ],
  ])('KEY-5: Gemini: not in the arguments of a function call, in %s', (_name, tail) => {
    expect(gemini.usageOfStream('stream_generate', ends(tail))?.inputTokens).toBe(5);
  });
});

describe('withoutUsageChunk', () => {
  const usage = 'data: {"id":"x","choices":[],"usage":{"prompt_tokens":1}}\n\n';
  it.each([
    [`data: a\n\n${usage}data: [DONE]\n\n`, 'data: a\n\ndata: [DONE]\n\n'],
    [usage, ''],
    [`data: a\n\n${usage}data: [DONE]\n\n`.replaceAll('\n', '\r\n'), 'data: a\r\n\r\ndata: [DONE]\r\n\r\n'],
    [
      'data: {"choices": [ ], "prompt_filter_results":[]}\n\n',
      'data: {"choices": [ ], "prompt_filter_results":[]}\n\n',
    ],
    [
      'data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}\n\n',
      'data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}\n\n',
    ],
  ])('takes out only the chunk the caller did not ask for: %j', (block, expected) => {
    expect(withoutUsageChunk(Buffer.from(block)).toString()).toBe(expected);
  });
});

describe('usage of Anthropic answers', () => {
  it('KEY-5: input is what is uncached, read from and written to the cache together', () => {
    const body =
      '{"type":"message","usage":{"input_tokens":10,"cache_creation_input_tokens":300,"cache_creation":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":200},"cache_read_input_tokens":1000,"output_tokens":5,"server_tool_use":{"web_search_requests":2}}}';
    expect(anthropic.usageOfBody('messages', Buffer.from(body))).toMatchObject({
      inputTokens: 1310,
      cachedInputTokens: 1000,
      cacheWrite5mTokens: 100,
      cacheWrite1hTokens: 200,
      outputTokens: 5,
      webSearchRequests: 2,
    });
  });

  it('KEY-5: in streams the last non-null value of each field counts', () => {
    const head =
      'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":10,"cache_read_input_tokens":90,"output_tokens":1}}}\n\n';
    const tail =
      'event: message_delta\ndata: {"type":"message_delta","usage":{"input_tokens":null,"output_tokens":42}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n';
    expect(anthropic.usageOfStream('messages', ends(tail, head))).toMatchObject({
      inputTokens: 100,
      cachedInputTokens: 90,
      outputTokens: 42,
    });
    expect(anthropic.usageOfStream('messages', ends('event: content_block_delta\n\n', head))).toMatchObject({
      inputTokens: 100,
      outputTokens: 1,
    });
    expect(anthropic.usageOfBody('count_tokens', Buffer.from('{"input_tokens":5}'))).toBeNull();
  });

  it('KEY-6: an Anthropic stream that never told its output has not told all of its usage', () => {
    const start =
      'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":10,"output_tokens":1}}}\n\n';
    const stop = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';
    const delta = 'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":7}}\n\n';
    const ends = (tail: string) => ({ head: Buffer.from(start), tail: Buffer.from(tail) });
    expect(anthropic.hasFinalUsage(ends(stop))).toBe(false);
    expect(anthropic.hasFinalUsage(ends(start + stop))).toBe(false);
    expect(anthropic.hasFinalUsage(ends(delta + stop))).toBe(true);
  });

  it('LLM-8: error frames carry their event line', () => {
    expect(anthropic.endingOf('messages', Buffer.from('data: {"type":"message_stop"}\n\n'))).toBe('done');
    expect(anthropic.endingOf('messages', Buffer.from('data: {"type":"content_block_stop"}\n\n'))).toBe('cut');
  });
});

describe('usage of Gemini answers', () => {
  it('KEY-5: thoughts are billed as output, tool-use prompts as input', () => {
    const tail =
      'data: {"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":60,"candidatesTokenCount":20,"thoughtsTokenCount":15,"toolUsePromptTokenCount":7}}\n\n';
    expect(gemini.usageOfStream('stream_generate', ends(tail))).toMatchObject({
      inputTokens: 107,
      cachedInputTokens: 60,
      outputTokens: 35,
      reasoningTokens: 15,
    });
    expect(gemini.endingOf('stream_generate', Buffer.from(tail))).toBe('done');
    const argument =
      'data: {"candidates":[{"content":{"parts":[{"functionCall":{"args":{"error":{"a":1}}}}]},"finishReason":"STOP"}]}\n\n';
    expect(gemini.endingOf('stream_generate', Buffer.from(argument))).toBe('done');
    expect(gemini.endingOf('stream_generate', Buffer.from('data: {"error":{"code":503}}\n\n'))).toBe('failed');
  });
});

describe('a usage object without a count', () => {
  it.each([
    '{}',
    '{"prompt_tokens":"12","input_tokens":"3"}',
    '{"prompt_tokens":-5,"completion_tokens":-1}',
    '{"total_tokens":7}',
    '{"prompt_tokens":null}',
  ])('KEY-6: %s is no usage: the call stays at its bound', (usage) => {
    const body = Buffer.from(`{"choices":[],"usage":${usage}}`);
    expect(openai.usageOfBody('chat', body)).toBeNull();
    expect(openai.usageOfBody('responses', body)).toBeNull();
    expect(openai.usageOfBody('embeddings', body)).toBeNull();
    expect(openai.usageOfStream('chat', ends(`data: ${body.toString()}\n\ndata: [DONE]\n\n`))).toBeNull();
    expect(anthropic.usageOfBody('messages', body)).toBeNull();
  });
  it('KEY-6: the same for Gemini; a measured zero stays a zero', () => {
    expect(gemini.usageOfBody('generate', Buffer.from('{"usageMetadata":{}}'))).toBeNull();
    expect(gemini.usageOfBody('generate', Buffer.from('{"usageMetadata":{"promptTokenCount":"9"}}'))).toBeNull();
    expect(gemini.usageOfBody('generate', Buffer.from('{"usageMetadata":{"promptTokenCount":0}}'))).not.toBeNull();
    expect(openai.usageOfBody('chat', Buffer.from('{"usage":{"prompt_tokens":0}}'))).toMatchObject({ inputTokens: 0 });
  });
});

describe('searches of chat answers', () => {
  it('KEY-5: an answer that cites pages has searched once; a text about citations has not', () => {
    const body = (message: object) =>
      Buffer.from(JSON.stringify({ choices: [{ message }], usage: { prompt_tokens: 1 } }));
    const cited = body({ content: 'x', annotations: [{ type: 'url_citation' }, { type: 'url_citation' }] });
    expect(openai.usageOfBody('chat', cited)).toMatchObject({ webSearchRequests: 1 });
    const about = body({ content: '{"type":"url_citation"}' });
    expect(openai.usageOfBody('chat', about)).toMatchObject({ webSearchRequests: 0 });
  });
});
