import { json, sse, type Answer, type Behaviour } from '#test/fakes/upstream/behaviour.js';
import { chunk, OPENING, refuses } from './routed-product.js';

/** What a provider says when it fails, in its own words. */
export interface FailingTarget {
  /** Name of its provider in `startRouted`. */
  readonly provider: 'first' | 'claude' | 'google';
  readonly faults: Readonly<Record<FaultName, Behaviour>>;
  /** Price of the usage that a stream reports with its first events, and a refusal as a whole. */
  readonly reportedUsd: string;
}

export type FaultName =
  | '429'
  | '500'
  | 'overloaded'
  | '401'
  | 'context-length'
  | 'refusal'
  | 'cut-mid-stream'
  | 'stall-mid-stream'
  | 'cut-before-content'
  | 'error-event-before-content';

export const TOO_LONG_WORDS = 'prompt is too long: 9000 tokens > 8192 maximum';
const AGAIN_LATER = { 'retry-after': '30' };
const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;

/** `whole`: the frames up to the first word; `opening`: those before it. */
function streamFaults(opening: readonly string[], whole: readonly string[], errorEvent: string) {
  return {
    'cut-mid-stream': sse(whole, { end: 'cut' }),
    'stall-mid-stream': sse(whole, { end: 'hang' }),
    'cut-before-content': sse(opening, { end: 'cut' }),
    'error-event-before-content': sse([...opening, errorEvent]),
  } as const;
}

const openaiTooLong = "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.";
const CHAT: FailingTarget = {
  provider: 'first',
  reportedUsd: '0',
  faults: {
    '429': refuses(429, { message: 'Rate limit reached', code: 'rate_limit_exceeded' }, AGAIN_LATER),
    '500': refuses(500, { message: 'The server had an error', type: 'server_error' }),
    overloaded: refuses(503, { message: 'Overloaded', type: 'server_error' }),
    '401': refuses(401, { message: 'Incorrect API key provided', code: 'invalid_api_key' }),
    'context-length': refuses(400, { message: openaiTooLong, code: 'context_length_exceeded' }),
    refusal: refuses(400, { message: 'The response was filtered', code: 'content_filter' }),
    ...streamFaults(
      [OPENING],
      [OPENING, chunk({ content: 'half' })],
      data({ error: { message: 'overloaded', type: 'overloaded_error' } }),
    ),
  },
};

const named = (value: { readonly type: string } & Readonly<Record<string, unknown>>): string =>
  `event: ${value.type}\n${data(value)}`;
const message = (content: readonly object[], stop: string | null): { readonly type: string } => ({
  ...{ id: 'msg_1', type: 'message', role: 'assistant', model: 'claude', content },
  ...{ stop_reason: stop, stop_sequence: null, usage: { input_tokens: 10, output_tokens: 1 } },
});
const anthropicError = (
  type: string,
  text: string,
): { readonly type: 'error' } & Readonly<Record<string, unknown>> => ({
  type: 'error',
  error: { type, message: text },
});
const anthropicSays = (status: number, type: string, text: string, headers = {}): Answer =>
  json(anthropicError(type, text), { status, headers });
const messageStart = named({ type: 'message_start', message: message([], null) });
const textStart = named({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } });
const textDelta = named({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'half' } });
const CLAUDE: FailingTarget = {
  provider: 'claude',
  reportedUsd: '0.000012',
  faults: {
    '429': anthropicSays(429, 'rate_limit_error', 'Rate limit reached', AGAIN_LATER),
    '500': anthropicSays(500, 'api_error', 'The server had an error'),
    overloaded: anthropicSays(529, 'overloaded_error', 'Overloaded'),
    '401': anthropicSays(401, 'authentication_error', 'invalid x-api-key'),
    'context-length': anthropicSays(400, 'invalid_request_error', TOO_LONG_WORDS),
    refusal: json(message([], 'refusal')),
    ...streamFaults(
      [messageStart, textStart],
      [messageStart, textStart, textDelta],
      named(anthropicError('overloaded_error', 'Overloaded')),
    ),
  },
};

const googleSays = (code: number, status: string, text: string, headers = {}): Answer =>
  json({ error: { code, status, message: text } }, { status: code, headers });
const usageMetadata = { promptTokenCount: 10, candidatesTokenCount: 1, totalTokenCount: 11 };
const candidate = (fields: object): object => ({ candidates: [{ index: 0, ...fields }], usageMetadata });
const parts = (text: string): object => ({ content: { role: 'model', parts: text === '' ? [] : [{ text }] } });
const googleTooLong = 'The input token count (9000) exceeds the maximum number of tokens allowed (8192).';
const GEMINI: FailingTarget = {
  provider: 'google',
  reportedUsd: '0.000012',
  faults: {
    '429': googleSays(429, 'RESOURCE_EXHAUSTED', 'Resource has been exhausted', AGAIN_LATER),
    '500': googleSays(500, 'INTERNAL', 'An internal error has occurred'),
    overloaded: googleSays(503, 'UNAVAILABLE', 'The model is overloaded'),
    '401': googleSays(400, 'INVALID_ARGUMENT', 'API key not valid. Please pass a valid API key.'),
    'context-length': googleSays(400, 'INVALID_ARGUMENT', googleTooLong),
    refusal: json(candidate({ finishReason: 'SAFETY' })),
    ...streamFaults(
      [data(candidate(parts('')))],
      [data(candidate(parts('half')))],
      data({ error: { code: 503, status: 'UNAVAILABLE', message: 'The model is overloaded' } }),
    ),
  },
};

/** One failing target of each dialect. */
export const FAILING = { chat: CHAT, claude: CLAUDE, gemini: GEMINI } as const;
