import { data, event, plain, stream } from './recording.js';

const HEAD = {
  id: 'chatcmpl-CfA1b2C3',
  object: 'chat.completion.chunk',
  created: 1794225600,
  model: 'gpt-5.5-2026-04-23',
  service_tier: 'default',
  system_fingerprint: 'fp_44709d6fcb',
};
const DETAILS = {
  prompt_tokens_details: { cached_tokens: 1024, audio_tokens: 0 },
  completion_tokens_details: {
    reasoning_tokens: 64,
    audio_tokens: 0,
    accepted_prediction_tokens: 0,
    rejected_prediction_tokens: 0,
  },
};
const CHAT_USAGE = { prompt_tokens: 1117, completion_tokens: 91, total_tokens: 1208, ...DETAILS };
const CHAT_COUNTS = { inputTokens: 1117, cachedInputTokens: 1024, outputTokens: 91, reasoningTokens: 64 };
const TEXT = ['Grüße', ' from', ' the', ' recorded', ' model', ': 你好', ' 👋', '.'];

function chunk(delta: object, finish: string | null = null, usage?: object | null): string {
  return data({
    ...HEAD,
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    ...(usage === undefined ? {} : { usage }),
    obfuscation: 'x7Qk',
  });
}
const texts = (usage?: null): string[] => [
  chunk({ role: 'assistant', content: '', refusal: null }, null, usage),
  ...TEXT.map((content) => chunk({ content }, null, usage)),
  chunk({}, 'stop', usage),
];
const DONE = 'data: [DONE]\n\n';
const usageChunk = data({ ...HEAD, choices: [], usage: CHAT_USAGE, obfuscation: '' });

const TOOL_CALL = {
  id: 'call_Xy12',
  type: 'function',
  function: { name: 'get_weather', arguments: '{"city":"Zürich","unit":"celsius"}' },
};
const toolDelta = (args: string): string =>
  chunk({ tool_calls: [{ index: 0, function: { arguments: args } }] }, null, null);
const whole = (message: object, finish: string): object => ({
  ...HEAD,
  object: 'chat.completion',
  choices: [
    {
      index: 0,
      message: { role: 'assistant', refusal: null, annotations: [], ...message },
      logprobs: null,
      finish_reason: finish,
    },
  ],
  usage: CHAT_USAGE,
});

export const openaiChat = {
  chat: plain(whole({ content: TEXT.join('') }, 'stop'), CHAT_COUNTS),
  chatTools: plain(whole({ content: null, tool_calls: [TOOL_CALL] }, 'tool_calls'), CHAT_COUNTS),
  /** `include_usage` was asked for: null on every chunk, usage on a last one without choices. */
  chatStream: stream([...texts(null), usageChunk, DONE], CHAT_COUNTS),
  /** Not asked for: no usage anywhere. */
  chatStreamWithoutUsage: stream([...texts(), DONE], null),
  /** Some servers put usage on the chunk that ends the choice. */
  chatStreamUsageOnChoice: stream([...texts(null).slice(0, -1), chunk({}, 'stop', CHAT_USAGE), DONE], CHAT_COUNTS),
  /** Azure: the first chunk has no choices and is no usage chunk. */
  chatStreamAzure: stream(
    [
      data({
        ...HEAD,
        id: '',
        choices: [],
        prompt_filter_results: [
          { prompt_index: 0, content_filter_results: { hate: { filtered: false, severity: 'safe' } } },
        ],
      }),
      ...texts(null),
      usageChunk,
      DONE,
    ],
    CHAT_COUNTS,
  ),
  chatStreamTools: stream(
    [
      chunk(
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ index: 0, ...TOOL_CALL, function: { name: 'get_weather', arguments: '' } }],
          refusal: null,
        },
        null,
        null,
      ),
      ...['{"ci', 'ty":"Zü', 'rich","unit":', '"celsius"}'].map(toolDelta),
      chunk({}, 'tool_calls', null),
      usageChunk,
      DONE,
    ],
    CHAT_COUNTS,
  ),
  /** The provider gives up in the middle and says so. */
  chatStreamError: stream(
    [
      ...texts(null).slice(0, 4),
      data({
        error: {
          message: 'The server had an error while processing your request.',
          type: 'server_error',
          param: null,
          code: null,
        },
      }),
    ],
    null,
  ),
};

const RESPONSES_USAGE = {
  input_tokens: 2301,
  input_tokens_details: { cached_tokens: 2048, cache_write_tokens: 128 },
  output_tokens: 140,
  output_tokens_details: { reasoning_tokens: 96 },
  total_tokens: 2441,
};
const RESPONSES_COUNTS = {
  inputTokens: 2301,
  cachedInputTokens: 2048,
  cacheWrite5mTokens: 128,
  outputTokens: 140,
  reasoningTokens: 96,
};
const RESPONSE = {
  id: 'resp_68a1',
  object: 'response',
  created_at: 1794225600,
  status: 'in_progress',
  background: false,
  error: null,
  incomplete_details: null,
  instructions: null,
  max_output_tokens: null,
  model: 'gpt-5.6-sol',
  output: [] as object[],
  parallel_tool_calls: true,
  previous_response_id: null,
  reasoning: { effort: 'medium', summary: null },
  store: false,
  temperature: 1,
  text: { format: { type: 'text' } },
  tool_choice: 'auto',
  tools: [],
  top_p: 1,
  truncation: 'disabled',
  usage: null as object | null,
  metadata: {},
};
const REASONING = { id: 'rs_68a2', type: 'reasoning', summary: [], encrypted_content: 'gAAAAABo' };
const CALL = {
  id: 'fc_68a4',
  type: 'function_call',
  status: 'completed',
  call_id: 'call_Ab34',
  name: 'shell',
  arguments: '{"command":["ls"]}',
};
const PART = { type: 'output_text', annotations: [], logprobs: [], text: TEXT.join('') };
const MESSAGE = { id: 'msg_68a3', type: 'message', status: 'completed', role: 'assistant', content: [PART] };
const COMPLETED = { ...RESPONSE, status: 'completed', output: [REASONING, MESSAGE, CALL], usage: RESPONSES_USAGE };

/** Numbers the events as the API does. */
function numbered(events: readonly { readonly type: string; readonly [field: string]: unknown }[]): string[] {
  return events.map((value, sequence_number) => event({ ...value, sequence_number }));
}
const AT_MESSAGE = { item_id: MESSAGE.id, output_index: 1, content_index: 0 };
const AT_CALL = { item_id: CALL.id, output_index: 2 };
const OPENING = [
  { type: 'response.created', response: RESPONSE },
  { type: 'response.in_progress', response: RESPONSE },
  { type: 'response.output_item.added', output_index: 0, item: { ...REASONING, encrypted_content: '' } },
  { type: 'response.output_item.done', output_index: 0, item: REASONING },
  { type: 'response.output_item.added', output_index: 1, item: { ...MESSAGE, status: 'in_progress', content: [] } },
  { type: 'response.content_part.added', ...AT_MESSAGE, part: { ...PART, text: '' } },
  ...TEXT.map((delta) => ({
    type: 'response.output_text.delta',
    ...AT_MESSAGE,
    delta,
    logprobs: [],
    obfuscation: 'q',
  })),
];

export const openaiResponses = {
  responses: plain(COMPLETED, RESPONSES_COUNTS),
  responsesStream: stream(
    numbered([
      ...OPENING,
      { type: 'response.output_text.done', ...AT_MESSAGE, text: TEXT.join(''), logprobs: [] },
      { type: 'response.content_part.done', ...AT_MESSAGE, part: PART },
      { type: 'response.output_item.done', output_index: 1, item: MESSAGE },
      { type: 'response.output_item.added', output_index: 2, item: { ...CALL, status: 'in_progress', arguments: '' } },
      { type: 'response.function_call_arguments.delta', ...AT_CALL, delta: '{"command":' },
      { type: 'response.function_call_arguments.delta', ...AT_CALL, delta: '["ls"]}' },
      { type: 'response.function_call_arguments.done', ...AT_CALL, arguments: CALL.arguments },
      { type: 'response.output_item.done', output_index: 2, item: CALL },
      { type: 'response.completed', response: COMPLETED },
    ]),
    RESPONSES_COUNTS,
  ),
  responsesStreamFailed: stream(
    numbered([
      ...OPENING.slice(0, 8),
      {
        type: 'response.failed',
        response: {
          ...RESPONSE,
          status: 'failed',
          error: { code: 'server_error', message: 'An error occurred while processing your request.' },
        },
      },
    ]),
    null,
  ),
};

const EMBEDDING = [0.0125, -0.5, 0.25, 0.8291562];

export const openaiOther = {
  embeddings: plain(
    {
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: EMBEDDING }],
      model: 'text-embedding-3-small',
      usage: { prompt_tokens: 8, total_tokens: 8 },
    },
    { inputTokens: 8 },
  ),
  embeddingsBase64: plain(
    {
      object: 'list',
      data: [
        {
          object: 'embedding',
          index: 0,
          embedding: Buffer.from(new Float32Array(EMBEDDING).buffer).toString('base64'),
        },
      ],
      model: 'text-embedding-3-small',
      usage: { prompt_tokens: 8, total_tokens: 8 },
    },
    { inputTokens: 8 },
  ),
  completion: plain(
    {
      id: 'cmpl-7',
      object: 'text_completion',
      created: 1794225600,
      model: 'gpt-3.5-turbo-instruct',
      choices: [{ text: ' there was a fox.', index: 0, logprobs: null, finish_reason: 'stop' }],
      usage: { prompt_tokens: 5, completion_tokens: 6, total_tokens: 11 },
    },
    { inputTokens: 5, outputTokens: 6 },
  ),
  openaiModels: plain(
    {
      object: 'list',
      data: [
        { id: 'gpt-5.5', object: 'model', created: 1776902400, owned_by: 'openai' },
        { id: 'gpt-5.6-sol', object: 'model', created: 1785542400, owned_by: 'openai' },
      ],
    },
    null,
  ),
};

/** Error bodies, by status. */
export const openaiErrors = {
  400: {
    error: {
      message: "Unsupported value: 'temperature' does not support 0.2 with this model.",
      type: 'invalid_request_error',
      param: 'temperature',
      code: 'unsupported_value',
    },
  },
  401: {
    error: {
      message: 'Incorrect API key provided: sk-proj-****abcd.',
      type: 'invalid_request_error',
      param: null,
      code: 'invalid_api_key',
    },
  },
  404: {
    error: {
      message: 'The model `gpt-9` does not exist or you do not have access to it.',
      type: 'invalid_request_error',
      param: null,
      code: 'model_not_found',
    },
  },
  429: {
    error: {
      message: 'Rate limit reached for gpt-5.5 on tokens per min (TPM).',
      type: 'tokens',
      param: null,
      code: 'rate_limit_exceeded',
    },
  },
  500: {
    error: {
      message: 'The server had an error while processing your request. Sorry about that!',
      type: 'server_error',
      param: null,
      code: null,
    },
  },
};
