import type { DialectName } from '#libs/dialects/index.js';
import type { FailureClass } from '#libs/platform/config.js';
import { classifyStreamError } from './classify-answer.js';

describe('classifyStreamError', () => {
  const failed = (code: string, message = 'm'): unknown => ({
    type: 'response.failed',
    sequence_number: 3,
    response: { id: 'resp_1', status: 'failed', error: { code, message }, output: [{ type: 'message' }] },
  });
  const flat = (code: string | null, message = 'm'): unknown => ({
    type: 'error',
    code,
    message,
    param: null,
    sequence_number: 1,
  });
  it.each<[DialectName, unknown, FailureClass]>([
    // chat
    ['openai', { error: { message: 'Overloaded', type: 'overloaded_error' } }, 'overloaded'],
    ['openai', { error: { message: 'no', type: 'server_error', code: null } }, 'server_error'],
    [
      'openai',
      { error: { message: 'Rate limit reached', type: 'requests', code: 'rate_limit_exceeded' } },
      'rate_limit',
    ],
    ['openai', { error: { message: 'bad', type: 'BadRequestError', code: 400 } }, 'invalid_request'],
    [
      'openai',
      { error: { message: 'f', type: 'invalid_request_error', code: 'tool_use_failed', status_code: 400 } },
      'bad_output',
    ],
    [
      'openai',
      {
        id: 'c',
        choices: [{ delta: { content: '' }, finish_reason: 'error' }],
        error: { code: 502, message: 'Provider disconnected' },
      },
      'server_error',
    ],
    ['openai', { object: 'error', message: 'bad', type: 'BadRequestError', code: 400 }, 'invalid_request'],
    ['openai', { error: 'something broke' }, 'error_body'],
    // Responses
    ['openai', failed('server_error'), 'server_error'],
    ['openai', failed('rate_limit_exceeded'), 'rate_limit'],
    ['openai', failed('rate_limit_exceeded', 'Request too large for gpt-5 on tokens per min'), 'request_too_large'],
    ['openai', failed('context_length_exceeded'), 'context_length'],
    ['openai', failed('insufficient_quota'), 'quota'],
    ['openai', failed('invalid_prompt'), 'invalid_request'],
    [
      'openai',
      failed('invalid_prompt', 'Invalid prompt: your prompt was flagged as potentially violating our usage policy.'),
      'content_refusal',
    ],
    ['openai', failed('failed_to_download_image'), 'invalid_request'],
    ['openai', failed('image_content_policy_violation'), 'content_refusal'],
    ['openai', failed('server_is_overloaded'), 'overloaded'],
    ['openai', failed('model_error'), 'bad_output'],
    ['openai', failed('something_new'), 'error_body'],
    ['openai', flat('rate_limit_exceeded'), 'rate_limit'],
    ['openai', flat('context_length_exceeded'), 'context_length'],
    ['openai', flat('server_error'), 'server_error'],
    ['openai', flat(null), 'error_body'],
    [
      'openai',
      { type: 'error', error: { type: 'invalid_request_error', code: 'context_length_exceeded', message: 'm' } },
      'context_length',
    ],
    // Anthropic, Bedrock among it
    ['anthropic', { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }, 'overloaded'],
    ['anthropic', { type: 'error', error: { type: 'rate_limit_error', message: 'm' } }, 'rate_limit'],
    ['anthropic', { type: 'error', error: { type: 'api_error', message: 'm' } }, 'server_error'],
    ['anthropic', { type: 'error', error: { type: 'timeout_error', message: 'm' } }, 'request_timeout'],
    ['anthropic', { type: 'error', error: { type: 'authentication_error', message: 'm' } }, 'auth'],
    ['anthropic', { type: 'error', error: { type: 'not_found_error', message: 'model: x' } }, 'unknown_model'],
    [
      'anthropic',
      { type: 'error', error: { type: 'not_found_error', message: 'File not found: file_1' } },
      'invalid_request',
    ],
    [
      'anthropic',
      { type: 'error', error: { type: 'invalid_request_error', message: 'prompt is too long: 2 tokens > 1 maximum' } },
      'context_length',
    ],
    ['anthropic', { type: 'error', error: { type: 'invalid_request_error', message: 'm' } }, 'invalid_request'],
    ['anthropic', { type: 'error', error: { type: 'something_new', message: 'm' } }, 'error_body'],
    // Gemini
    ['gemini', { error: { code: 503, status: 'UNAVAILABLE', message: 'm' } }, 'overloaded'],
    ['gemini', [{ error: { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'm' } }], 'rate_limit'],
    ['gemini', { error: { code: 400, status: 'INVALID_ARGUMENT', message: 'm' } }, 'invalid_request'],
    [
      'gemini',
      { error: { code: 403, status: 'PERMISSION_DENIED', message: 'You do not have permission to access the File x' } },
      'invalid_request',
    ],
    ['gemini', { error: { code: 500, status: 'INTERNAL', message: 'm' } }, 'server_error'],
    ['gemini', { error: {} }, 'error_body'],
  ])('RTE-2: the event of %s %j is %s', (dialect, event, expected) => {
    expect(classifyStreamError(dialect, Buffer.from(JSON.stringify(event)))).toBe(expected);
  });

  it.each(['', '{', 'null', '7', '[]', '"x"'])(
    'RTE-2: an error event %j that cannot be read tells nothing more',
    (text) => {
      for (const dialect of ['openai', 'anthropic', 'gemini'] as const)
        expect(classifyStreamError(dialect, Buffer.from(text))).toBe('error_body');
    },
  );
});
