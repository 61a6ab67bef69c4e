import { data, event, plain, stream } from './recording.js';

const INPUT_USAGE = {
  input_tokens: 21,
  cache_creation_input_tokens: 1500,
  cache_read_input_tokens: 18_000,
  cache_creation: { ephemeral_5m_input_tokens: 1200, ephemeral_1h_input_tokens: 300 },
};
const COUNTS = {
  inputTokens: 21 + 1500 + 18_000,
  cachedInputTokens: 18_000,
  cacheWrite5mTokens: 1200,
  cacheWrite1hTokens: 300,
  outputTokens: 412,
  reasoningTokens: 230,
  webSearchRequests: 1,
};
const FINAL_USAGE = {
  ...INPUT_USAGE,
  output_tokens: 412,
  output_tokens_details: { thinking_tokens: 230 },
  server_tool_use: { web_search_requests: 1, web_fetch_requests: 0 },
};
const MESSAGE = {
  id: 'msg_01XkT',
  type: 'message',
  role: 'assistant',
  model: 'claude-opus-5',
  content: [] as object[],
  stop_reason: null as string | null,
  stop_sequence: null,
};
const THINKING = 'The user wants the weather in Zürich.';
const SIGNATURE = 'EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds';
const TEXTS = ['I will look', ' that up in Zürich', ' for you 🌦️.'];
const TOOL = { type: 'tool_use', id: 'toolu_01Ab', name: 'get_weather' };

const start = event({
  type: 'message_start',
  message: {
    ...MESSAGE,
    usage: { ...INPUT_USAGE, output_tokens: 1, service_tier: 'standard', inference_geo: 'not_available' },
  },
});
const block = (index: number, content_block: object): string =>
  event({ type: 'content_block_start', index, content_block });
const delta = (index: number, part: object): string => event({ type: 'content_block_delta', index, delta: part });
const stop = (index: number): string => event({ type: 'content_block_stop', index });
const ping = event({ type: 'ping' });

const opening = [
  start,
  block(0, { type: 'thinking', thinking: '', signature: '' }),
  ping,
  delta(0, { type: 'thinking_delta', thinking: THINKING.slice(0, 20) }),
  delta(0, { type: 'thinking_delta', thinking: THINKING.slice(20) }),
  delta(0, { type: 'signature_delta', signature: SIGNATURE }),
  stop(0),
  block(1, { type: 'text', text: '' }),
  ...TEXTS.map((text) => delta(1, { type: 'text_delta', text })),
];

export const anthropic = {
  messages: plain(
    {
      ...MESSAGE,
      content: [
        { type: 'thinking', thinking: THINKING, signature: SIGNATURE },
        { type: 'text', text: TEXTS.join('') },
        { ...TOOL, input: { city: 'Zürich' } },
      ],
      stop_reason: 'tool_use',
      usage: { ...FINAL_USAGE, service_tier: 'standard' },
    },
    COUNTS,
  ),
  /** Thinking, text and a tool call; cache reads and both kinds of cache writes; a web search. */
  messagesStream: stream(
    [
      ...opening,
      stop(1),
      block(2, { ...TOOL, input: {} }),
      ...['', '{"city"', ': "Zü', 'rich"}'].map((partial_json) => delta(2, { type: 'input_json_delta', partial_json })),
      ping,
      stop(2),
      event({ type: 'message_delta', delta: { stop_reason: 'tool_use', stop_sequence: null }, usage: FINAL_USAGE }),
      event({ type: 'message_stop' }),
    ],
    COUNTS,
  ),
  /** The last usage only names the output; the input stands at the start, and nulls must not wipe it out. */
  messagesStreamSparseUsage: stream(
    [
      ...opening,
      stop(1),
      event({
        type: 'message_delta',
        delta: { stop_reason: 'end_turn', stop_sequence: null },
        usage: {
          input_tokens: null,
          cache_creation_input_tokens: null,
          cache_read_input_tokens: null,
          output_tokens: 412,
        },
      }),
      event({ type: 'message_stop' }),
    ],
    { ...COUNTS, reasoningTokens: 0, webSearchRequests: 0 },
  ),
  messagesStreamError: stream(
    [...opening, event({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } })],
    null,
  ),
  /** What the SDK drops without a word: an error without an event name. */
  messagesStreamBareError: stream(
    [...opening, data({ type: 'error', error: { type: 'api_error', message: 'Internal server error' } })],
    null,
  ),
  countTokens: plain({ input_tokens: 2095 }, null),
  anthropicModels: plain(
    {
      data: [{ type: 'model', id: 'claude-opus-5', display_name: 'Claude Opus 5', created_at: '2026-05-20T00:00:00Z' }],
      has_more: false,
      first_id: 'claude-opus-5',
      last_id: 'claude-opus-5',
    },
    null,
  ),
};

const error = (type: string, message: string): object => ({
  type: 'error',
  error: { type, message },
  request_id: 'req_011CUx',
});

/** Error bodies, by status. */
export const anthropicErrors = {
  400: error('invalid_request_error', 'prompt is too long: 214315 tokens > 200000 maximum'),
  401: error('authentication_error', 'invalid x-api-key'),
  404: error('not_found_error', 'model: claude-9'),
  429: error('rate_limit_error', 'This request would exceed the rate limit for your organization.'),
  500: error('api_error', 'Internal server error'),
  529: error('overloaded_error', 'Overloaded'),
};
