// What goes over the wire: request bodies of three sizes, one JSON answer, one stream. A fifth of the text is not Latin, which
// makes two-byte strings of it wherever it is decoded: the realistic worst case.

const PARAGRAPH =
  'The gateway passes this text on byte for byte. "Quoted words", line ends\nand tabs\tare escaped in JSON. ' +
  'Съешь ещё этих мягких французских булок. 速い茶色の狐がのろまな犬を飛び越える。 ' +
  'Numbers such as 3.14159 and code like `if (a < b) { return x[0]; }` are part of every prompt as well. ';

export const BENCH_MODEL = 'bench-model';
/** Leads to the same target, with a chain of a second one behind it. */
export const CHAIN_MODEL = 'bench-chain';
/** Of an upstream that speaks Anthropic's dialect. */
export const CLAUDE_MODEL = 'bench-claude/bench-model';

/**
 * How callers ask and what the upstream speaks. `chat`: OpenAI's chat both. `chain`: the same through a chain. `to-chat`: an
 * Anthropic caller, `from-claude`: an OpenAI caller of an Anthropic upstream; both are translated.
 */
export type Call = 'chat' | 'chain' | 'to-chat' | 'from-claude';
const MODELS: Readonly<Record<Call, string>> = {
  chat: BENCH_MODEL,
  chain: CHAIN_MODEL,
  'to-chat': BENCH_MODEL,
  'from-claude': CLAUDE_MODEL,
};

function tool(index: number): object {
  return {
    type: 'function',
    function: {
      name: `lookup_${index}`,
      description: PARAGRAPH.slice(0, 180),
      parameters: {
        type: 'object',
        properties: {
          query: { type: 'string' },
          limit: { type: 'integer', minimum: 1, maximum: 50 },
          tags: { type: 'array', items: { type: 'string' } },
        },
        required: ['query'],
        additionalProperties: false,
      },
    },
  };
}

/** A request of about `bytes` bytes: a conversation, from 10 KB on with a tenth of its size in (OpenAI's) tools. */
export function chatBody(bytes: number, stream: boolean, call: Call = 'chat'): Buffer {
  const tools = bytes < 10_000 ? [] : Array.from({ length: Math.ceil(bytes / 10 / 440) }, (_, index) => tool(index));
  const system = 'You are a careful assistant. Answer briefly.';
  const messages: { role: string; content: string }[] = [];
  const isMessages = call === 'to-chat';
  const render = (): Buffer =>
    Buffer.from(
      JSON.stringify({
        model: MODELS[call],
        ...(isMessages ? { system, messages } : { messages: [{ role: 'system', content: system }, ...messages] }),
        temperature: 0.2,
        max_tokens: 512,
        ...(isMessages ? { metadata: { user_id: 'user-1' } } : { user: 'user-1' }),
        ...(stream ? { stream } : {}),
        ...(tools.length > 0 ? { tools } : {}),
      }),
    );
  for (let role = 'user'; ; role = role === 'user' ? 'assistant' : 'user') {
    const missing = bytes - render().length - 32;
    if (missing <= 0) return render();
    let content = PARAGRAPH.repeat(Math.ceil(Math.min(missing, 2000) / PARAGRAPH.length));
    while (Buffer.byteLength(JSON.stringify(content)) > Math.max(missing, 40)) content = content.slice(0, -8);
    messages.push({ role, content });
  }
}

const USAGE = {
  prompt_tokens: 212,
  completion_tokens: 174,
  total_tokens: 386,
  prompt_tokens_details: { cached_tokens: 128, audio_tokens: 0 },
  completion_tokens_details: {
    reasoning_tokens: 64,
    audio_tokens: 0,
    accepted_prediction_tokens: 0,
    rejected_prediction_tokens: 0,
  },
};
const CREATED = 1_790_000_000;

/** What a provider's front end sends along. */
const PROVIDER_HEADERS = [
  'date: Sat, 21 Nov 2026 12:00:00 GMT',
  'access-control-expose-headers: X-Request-ID',
  'openai-organization: org-bench',
  'openai-processing-ms: 412',
  'openai-version: 2020-10-01',
  'x-ratelimit-limit-requests: 10000',
  'x-ratelimit-remaining-requests: 9999',
  'x-ratelimit-reset-requests: 6ms',
  'x-request-id: req_0123456789abcdef0123456789abcdef',
  'strict-transport-security: max-age=31536000; includeSubDomains; preload',
  'x-content-type-options: nosniff',
  'server: bench',
];

function head(...own: string[]): string {
  return ['HTTP/1.1 200 OK', ...PROVIDER_HEADERS, ...own, '', ''].join('\r\n');
}

/** The one answer to every call that does not stream: about 1 KB of JSON. */
export function jsonAnswer(): Buffer {
  const body = JSON.stringify({
    id: 'chatcmpl-bench0123456789abcdef',
    object: 'chat.completion',
    created: CREATED,
    model: BENCH_MODEL,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: PARAGRAPH, refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: USAGE,
    service_tier: 'default',
    system_fingerprint: 'fp_bench',
  });
  return Buffer.from(`${head('content-type: application/json', `content-length: ${Buffer.byteLength(body)}`)}${body}`);
}

/** Pieces of a streamed answer. */
export interface StreamPieces {
  readonly head: Buffer;
  /** 50 events of about 330 bytes, then one piece with finish reason, usage, `[DONE]` and the end of the body. */
  readonly pieces: readonly Buffer[];
}

export const CONTENT_CHUNKS = 50;

function event(value: unknown): string {
  return `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`;
}

/** HTTP chunked coding of one piece. */
function coded(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

export function streamAnswer(): StreamPieces {
  const chunk = (delta: object, finish: string | null, usage: object | null): object => ({
    id: 'chatcmpl-bench0123456789abcdef',
    object: 'chat.completion.chunk',
    created: CREATED,
    model: BENCH_MODEL,
    service_tier: 'default',
    system_fingerprint: 'fp_bench',
    choices: usage === null ? [{ index: 0, delta, logprobs: null, finish_reason: finish }] : [],
    usage,
    obfuscation: 'aAbBcCdDeE',
  });
  const pieces = Array.from({ length: CONTENT_CHUNKS }, (_, index) =>
    coded(event(chunk({ content: `часть ${index} of the answer ` }, null, null))),
  );
  const end = event(chunk({}, 'stop', null)) + event(chunk({}, null, USAGE)) + event('[DONE]');
  return {
    head: Buffer.from(
      head('content-type: text/event-stream; charset=utf-8', 'cache-control: no-cache', 'transfer-encoding: chunked'),
    ),
    pieces: [...pieces, `${coded(end)}0\r\n\r\n`].map((text) => Buffer.from(text)),
  };
}

/** The same stream in Anthropic's dialect. */
export function messagesStreamAnswer(): StreamPieces {
  const named = (type: string, fields: object): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
  const usage = { input_tokens: 84, cache_read_input_tokens: 128, cache_creation_input_tokens: 0, output_tokens: 1 };
  const message = { id: 'msg_bench', type: 'message', role: 'assistant', model: BENCH_MODEL, content: [], usage };
  const start =
    named('message_start', { message: { ...message, stop_reason: null, stop_sequence: null } }) +
    named('content_block_start', { index: 0, content_block: { type: 'text', text: '' } });
  const pieces = Array.from({ length: CONTENT_CHUNKS }, (_, index) => {
    const delta = { type: 'text_delta', text: `часть ${index} of the answer ` };
    return coded((index === 0 ? start : '') + named('content_block_delta', { index: 0, delta }));
  });
  const end =
    named('content_block_stop', { index: 0 }) +
    named('message_delta', {
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { ...usage, output_tokens: 174 },
    }) +
    named('message_stop', {});
  return { head: streamAnswer().head, pieces: [...pieces, `${coded(end)}0\r\n\r\n`].map((text) => Buffer.from(text)) };
}

/** Headers as the official JavaScript SDK sends them. */
const SDK_HEADERS = [
  'accept: application/json',
  'content-type: application/json',
  'user-agent: OpenAI/JS 7.55.0',
  'x-stainless-retry-count: 0',
  'x-stainless-timeout: 600',
  'x-stainless-lang: js',
  'x-stainless-package-version: 7.55.0',
  'x-stainless-os: Linux',
  'x-stainless-arch: x64',
  'x-stainless-runtime: node',
  'x-stainless-runtime-version: v26.10.0',
  'accept-encoding: gzip, deflate',
];

/** One whole request as bytes. `answer` tells the fake upstream what to do (see upstream.ts). */
export function requestBytes(port: number, key: string, answer: string, body: Buffer, call: Call = 'chat'): Buffer {
  const lines = [
    `POST ${call === 'to-chat' ? '/anthropic/v1/messages' : '/v1/chat/completions'} HTTP/1.1`,
    `host: 127.0.0.1:${port}`,
    `authorization: Bearer ${key}`,
    ...SDK_HEADERS,
    ...(call === 'to-chat' ? ['anthropic-version: 2023-06-01'] : []),
    `x-bench-answer: ${answer}`,
    `content-length: ${body.length}`,
    '',
    '',
  ];
  return Buffer.concat([Buffer.from(lines.join('\r\n')), body]);
}
