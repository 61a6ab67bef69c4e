import type { DialectName } from '#libs/dialects/index.js';
import type { FailureClass } from '#libs/platform/config.js';
import { classifyAnswer, classifyHiddenError, classifyStreamError, MOST_ERROR_BYTES } from './classify-answer.js';
import { classifyFault } from './classify-fault.js';
import { backoffMs } from './backoff.js';
import { retryAfterMs } from './retry-after.js';

const openai = (status: number, error: unknown): [DialectName, number, unknown] => ['openai', status, { error }];
const anthropic = (status: number, type: string, message = 'm'): [DialectName, number, unknown] => [
  'anthropic',
  status,
  { type: 'error', error: { type, message } },
];
const gemini = (code: number, status: string, message = 'm', details: unknown = []): [DialectName, number, unknown] => [
  'gemini',
  code,
  { error: { code, message, status, details } },
];

describe('classifyAnswer', () => {
  it.each<[[DialectName, number, unknown], FailureClass]>([
    [openai(429, { type: 'requests', code: 'rate_limit_exceeded', message: 'Rate limit reached' }), 'rate_limit'],
    [openai(429, { type: 'insufficient_quota', code: 'insufficient_quota', message: 'You exceeded' }), 'quota'],
    [
      openai(400, { code: 'context_length_exceeded', message: "This model's maximum context length is 8192" }),
      'context_length',
    ],
    [openai(400, { message: "This model's maximum context length is 4096 tokens." }), 'context_length'],
    [openai(400, { type: 'exceed_context_size_error', message: 'the request exceeds' }), 'context_length'],
    [openai(400, { code: 'content_filter', innererror: { code: 'ResponsibleAIPolicyViolation' } }), 'content_refusal'],
    [openai(400, { message: 'Your request was flagged' }), 'content_refusal'],
    [openai(400, { type: 'invalid_request_error', message: "Invalid type for 'messages'" }), 'invalid_request'],
    [openai(404, { code: 'DeploymentNotFound', message: 'The API deployment does not exist' }), 'unknown_model'],
    [openai(404, { code: 'model_not_found' }), 'unknown_model'],
    [openai(401, { code: 'invalid_api_key' }), 'auth'],
    [openai(403, { code: 'unsupported_country_region_territory' }), 'auth'],
    [openai(500, { type: 'server_error' }), 'server_error'],
    [openai(503, { message: 'slow down' }), 'overloaded'],
    [['openai', 429, 'too many'], 'rate_limit'],
    [['openai', 404, { detail: 'Not Found' }], 'error_body'],
    [anthropic(529, 'overloaded_error'), 'overloaded'],
    [anthropic(500, 'api_error'), 'server_error'],
    [anthropic(429, 'rate_limit_error'), 'rate_limit'],
    [anthropic(400, 'invalid_request_error', 'prompt is too long: 210000 tokens > 200000 maximum'), 'context_length'],
    [
      anthropic(400, 'invalid_request_error', 'input length and `max_tokens` exceed context limit: 1 + 2 > 3'),
      'context_length',
    ],
    [anthropic(400, 'invalid_request_error', 'Your credit balance is too low to access'), 'quota'],
    [anthropic(400, 'invalid_request_error', 'max_tokens: Field required'), 'invalid_request'],
    [anthropic(401, 'authentication_error'), 'auth'],
    [anthropic(403, 'permission_error', 'Your API key does not have permission to use the specified resource'), 'auth'],
    [anthropic(404, 'not_found_error', 'model: claude-gone'), 'unknown_model'],
    [anthropic(413, 'request_too_large'), 'invalid_request'],
    [['anthropic', 429, { message: 'Too many requests', __type: 'ThrottlingException' }], 'rate_limit'],
    [['anthropic', 400, { message: 'Input is too long for requested model.' }], 'context_length'],
    [gemini(429, 'RESOURCE_EXHAUSTED'), 'rate_limit'],
    [gemini(429, 'RESOURCE_EXHAUSTED', 'You exceeded your current quota, please check your plan'), 'rate_limit'],
    [gemini(400, 'INVALID_ARGUMENT', 'API key not valid.', [{ reason: 'API_KEY_INVALID' }]), 'auth'],
    [
      gemini(400, 'INVALID_ARGUMENT', 'The input token count (2000000) exceeds the maximum number of tokens allowed'),
      'context_length',
    ],
    [gemini(400, 'INVALID_ARGUMENT', 'Unknown name "x"'), 'invalid_request'],
    [gemini(403, 'PERMISSION_DENIED', "Permission 'aiplatform.endpoints.predict' denied on resource '//x'"), 'auth'],
    [gemini(404, 'NOT_FOUND', 'models/x is not found for API version v1beta'), 'unknown_model'],
    [gemini(500, 'INTERNAL'), 'server_error'],
    [gemini(503, 'UNAVAILABLE'), 'overloaded'],
    [gemini(504, 'DEADLINE_EXCEEDED'), 'request_timeout'],
    [['gemini', 429, [{ error: { code: 429, status: 'RESOURCE_EXHAUSTED' } }]], 'rate_limit'],
  ])('RTE-2: %j is %s', ([dialect, status, body], expected) => {
    expect(classifyAnswer(dialect, status, Buffer.from(JSON.stringify(body)))).toBe(expected);
  });

  it.each<[number, FailureClass]>([
    [400, 'invalid_request'],
    [401, 'auth'],
    [402, 'quota'],
    [403, 'error_body'],
    [404, 'error_body'],
    [410, 'error_body'],
    [408, 'request_timeout'],
    [409, 'invalid_request'],
    [413, 'invalid_request'],
    [422, 'invalid_request'],
    [429, 'rate_limit'],
    [500, 'server_error'],
    [502, 'server_error'],
    [503, 'overloaded'],
    [504, 'server_error'],
    [529, 'overloaded'],
    [302, 'bad_answer'],
  ])('RTE-2: %d without a body that says more is %s, in every dialect', (status, expected) => {
    for (const dialect of ['openai', 'anthropic', 'gemini'] as const) {
      for (const body of ['', '{', 'null', '[]', '"x"', '{"error":null}', '<html>', 'x'.repeat(MOST_ERROR_BYTES + 1)]) {
        expect(classifyAnswer(dialect, status, Buffer.from(body))).toBe(expected);
      }
    }
  });
});

describe('classifyAnswer: what a 403 or 404 is about', () => {
  it.each<[DialectName, number, unknown, FailureClass]>([
    // the caller's own things
    [
      'openai',
      404,
      {
        message: "Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.",
        param: 'input',
        code: null,
      },
      'invalid_request',
    ],
    [
      'openai',
      404,
      {
        message: 'File cfile_1 not found on container cntr_1.',
        type: 'invalid_request_error',
        param: null,
        code: null,
      },
      'invalid_request',
    ],
    [
      'openai',
      404,
      {
        message: "Vector store with id ['vs_1'] not found.",
        type: 'invalid_request_error',
        param: 'tools',
        code: null,
      },
      'invalid_request',
    ],
    ['openai', 404, { message: "Prompt with id 'pmpt_1' not found.", param: null, code: null }, 'invalid_request'],
    ['openai', 404, { message: "Container with id 'model_1' not found.", param: null, code: null }, 'invalid_request'],
    [
      'openai',
      404,
      {
        message: "Previous response with id 'resp_1' not found.",
        param: 'previous_response_id',
        code: 'previous_response_not_found',
      },
      'invalid_request',
    ],
    ['openai', 404, { message: 'No endpoints found that support image input', code: 404 }, 'invalid_request'],
    ['anthropic', 404, { type: 'not_found_error', message: 'File not found: file_1' }, 'invalid_request'],
    ['anthropic', 404, { type: 'not_found_error', message: 'container_1: container not found' }, 'invalid_request'],
    [
      'gemini',
      403,
      {
        code: 403,
        status: 'PERMISSION_DENIED',
        message: 'You do not have permission to access the File model-1 or it may not exist.',
      },
      'invalid_request',
    ],
    [
      'gemini',
      403,
      { code: 403, status: 'PERMISSION_DENIED', message: 'CachedContent not found (or permission denied)' },
      'invalid_request',
    ],
    [
      'gemini',
      404,
      { code: 404, status: 'NOT_FOUND', message: 'Not found: cached content metadata for 123.' },
      'invalid_request',
    ],
    [
      'gemini',
      403,
      {
        code: 403,
        status: 'PERMISSION_DENIED',
        message:
          "sa@x.iam.gserviceaccount.com does not have storage.objects.get access to the Google Cloud Storage object. Permission 'storage.objects.get' denied",
        details: [{ reason: 'IAM_PERMISSION_DENIED' }],
      },
      'invalid_request',
    ],
    // the model or deployment
    [
      'openai',
      404,
      {
        message: 'The model `prompt-guard` does not exist or you do not have access to it.',
        type: 'invalid_request_error',
        param: null,
        code: 'model_not_found',
      },
      'unknown_model',
    ],
    [
      'openai',
      404,
      { message: 'The model `prompt-guard` does not exist.', type: 'NotFoundError', param: 'model', code: 404 },
      'unknown_model',
    ],
    ['openai', 404, { message: "model 'image-file' not found, try pulling it first" }, 'unknown_model'],
    [
      'openai',
      403,
      { message: 'Project `p` does not have access to model `m`', code: 'model_not_found' },
      'unknown_model',
    ],
    ['anthropic', 404, { type: 'not_found_error', message: 'model: claude-files' }, 'unknown_model'],
    [
      'anthropic',
      403,
      { type: 'permission_error', message: "You don't have access to the model with the specified model ID." },
      'unknown_model',
    ],
    [
      'gemini',
      404,
      {
        code: 404,
        status: 'NOT_FOUND',
        message:
          'Publisher Model `projects/p/locations/l/publishers/google/models/x` was not found or your project does not have access to it.',
      },
      'unknown_model',
    ],
    // the credential or account
    [
      'openai',
      403,
      { message: 'Country, region, or territory not supported', code: 'unsupported_country_region_territory' },
      'auth',
    ],
    [
      'openai',
      403,
      { message: 'You have insufficient permissions for this operation. Missing scopes: model.request.' },
      'auth',
    ],
    ['openai', 403, { message: 'Access denied due to Virtual Network/Firewall rules.', code: '403' }, 'auth'],
    [
      'anthropic',
      403,
      {
        type: 'permission_error',
        message:
          'User: arn:aws:iam::1:user/u is not authorized to perform: bedrock:InvokeModel on resource: arn:aws:bedrock:us-east-1::foundation-model/m',
      },
      'auth',
    ],
    [
      'anthropic',
      403,
      { type: 'permission_error', message: 'The security token included in the request is expired' },
      'auth',
    ],
    [
      'gemini',
      403,
      {
        code: 403,
        status: 'PERMISSION_DENIED',
        message:
          "Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com/x' (or it may not exist).",
        details: [{ reason: 'IAM_PERMISSION_DENIED' }],
      },
      'auth',
    ],
    [
      'gemini',
      403,
      {
        code: 403,
        status: 'PERMISSION_DENIED',
        message: "Method doesn't allow unregistered callers (callers without established identity). Please use API Key",
      },
      'auth',
    ],
    [
      'gemini',
      403,
      {
        code: 403,
        status: 'PERMISSION_DENIED',
        message: 'Generative Language API has not been used',
        details: [{ reason: 'SERVICE_DISABLED' }],
      },
      'auth',
    ],
    // nothing is named: another target is asked, and none is closed over it at once
    ['openai', 404, { message: 'Resource not found', code: '404' }, 'error_body'],
    ['openai', 404, { message: 'Invalid URL (POST /v1/v1/chat/completions)', param: null, code: null }, 'error_body'],
    ['anthropic', 403, { type: 'permission_error', message: 'Request not allowed' }, 'error_body'],
    [
      'gemini',
      403,
      { code: 403, status: 'PERMISSION_DENIED', message: 'The caller does not have permission' },
      'error_body',
    ],
  ])('RTE-2: %s %d %j is %s', (dialect, status, error, expected) => {
    expect(classifyAnswer(dialect, status, Buffer.from(JSON.stringify({ error })))).toBe(expected);
  });

  it.each<[DialectName, number, string]>([
    ['openai', 400, "Invalid value: 'exceeded your current quota'. Supported values are: 'auto'"],
    ['anthropic', 400, 'tools.0: unexpected "Your credit balance is too low"'],
    ['anthropic', 400, 'messages.0: "The provided model identifier is invalid"'],
    ['gemini', 400, 'Invalid value at "contents": "API key not valid", "enable billing"'],
    ['openai', 404, "File 'the model' not found"],
  ])("RTE-2: %s %d %s: the caller's own words close no target", (dialect, status, message) => {
    expect(classifyAnswer(dialect, status, Buffer.from(JSON.stringify({ error: { message } })))).toBe(
      'invalid_request',
    );
  });

  it.each<[DialectName, number, unknown, FailureClass]>([
    [
      'openai',
      429,
      {
        message:
          'Request too large for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000, Requested 35064.',
        type: 'tokens',
        code: 'rate_limit_exceeded',
      },
      'request_too_large',
    ],
    [
      'openai',
      413,
      {
        message: 'Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 7000',
        type: 'tokens',
        code: 'rate_limit_exceeded',
      },
      'request_too_large',
    ],
    [
      'openai',
      402,
      {
        message: 'This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens',
        code: 402,
      },
      'request_too_large',
    ],
    [
      'openai',
      429,
      {
        message: 'Rate limit reached for gpt-4 on tokens per min (TPM): Limit 10000, Used 8554, Requested 3082.',
        type: 'tokens',
        code: 'rate_limit_exceeded',
      },
      'rate_limit',
    ],
    [
      'openai',
      500,
      {
        message: 'The model produced invalid content. Consider modifying your prompt',
        type: 'model_error',
        param: null,
        code: null,
      },
      'bad_output',
    ],
    [
      'openai',
      400,
      {
        message: "Failed to call a function. Please adjust your prompt. See 'failed_generation'",
        type: 'invalid_request_error',
        code: 'tool_use_failed',
      },
      'bad_output',
    ],
    [
      'anthropic',
      400,
      {
        type: 'invalid_request_error',
        message: 'You have reached your specified API usage limits. You will regain access on 2026-12-01',
      },
      'quota',
    ],
  ])('RTE-2: %s %d %j is %s', (dialect, status, error, expected) => {
    expect(classifyAnswer(dialect, status, Buffer.from(JSON.stringify({ error })))).toBe(expected);
  });
});

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

describe('classifyHiddenError', () => {
  it.each<[DialectName, unknown, FailureClass | null]>([
    ['openai', { error: { message: 'overloaded', type: 'overloaded_error' } }, 'overloaded'],
    ['openai', { error: { message: 'no', code: 429 } }, 'rate_limit'],
    ['openai', { error: 'something broke' }, 'error_body'],
    ['openai', { id: 'r', error: null, output: [] }, null],
    ['openai', { choices: [{ message: {} }], error: 'a warning' }, null],
    ['openai', { choices: [], error: { type: 'server_error' } }, 'server_error'],
    ['openai', { choices: [{ message: { content: '"error"' } }] }, null],
    ['anthropic', { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }, 'overloaded'],
    ['anthropic', { type: 'message', content: [{ type: 'text', text: 'an "error"' }] }, null],
    ['gemini', { error: { code: 503, status: 'UNAVAILABLE' } }, 'overloaded'],
    ['gemini', { candidates: [] }, null],
  ])('RTE-2: a 200 of %s with %j hides %s', (dialect, body, expected) => {
    expect(classifyHiddenError(dialect, Buffer.from(JSON.stringify(body)))).toBe(expected);
  });
});

describe('classifyFault', () => {
  const coded = (code: string): Error => Object.assign(new Error(code), { code });
  it.each([
    [coded('ENOTFOUND'), 'dns', 'cut', 'late_cut'],
    [coded('ECONNREFUSED'), 'connect', 'cut', 'late_cut'],
    [new Error('fetch failed', { cause: coded('ECONNRESET') }), 'connect', 'cut', 'late_cut'],
    [new AggregateError([coded('ECONNREFUSED'), coded('ENETUNREACH')]), 'connect', 'cut', 'late_cut'],
    [coded('CERT_HAS_EXPIRED'), 'tls', 'cut', 'late_cut'],
    [coded('ERR_TLS_CERT_ALTNAME_INVALID'), 'tls', 'cut', 'late_cut'],
    [coded('DEPTH_ZERO_SELF_SIGNED_CERT'), 'tls', 'cut', 'late_cut'],
    [coded('UND_ERR_HEADERS_TIMEOUT'), 'first_byte_timeout', 'stall', 'late_stall'],
    [coded('UND_ERR_BODY_TIMEOUT'), 'stall', 'stall', 'late_stall'],
    [coded('UND_ERR_SOCKET'), 'connect', 'cut', 'late_cut'],
    [coded('HPE_INVALID_CONSTANT'), 'bad_answer', 'bad_answer', 'late_cut'],
    ['thrown text', 'connect', 'cut', 'late_cut'],
  ])('RTE-2: %s is %s before the answer, %s in it, %s after content', (error, none, started, content) => {
    expect([classifyFault(error, 'none'), classifyFault(error, 'started'), classifyFault(error, 'content')]).toEqual([
      none,
      started,
      content,
    ]);
  });
});

describe('retryAfterMs', () => {
  const nowMs = Date.parse('2026-11-21T10:00:00Z');
  it.each([
    [{ 'retry-after': '2' }, 2_000],
    [{ 'retry-after': ' 0.5 ' }, 500],
    [{ 'retry-after': 'Sat, 21 Nov 2026 10:00:07 GMT' }, 7_000],
    [{ 'retry-after': 'Sat, 21 Nov 2026 09:00:00 GMT' }, 0],
    [{ 'retry-after-ms': '150', 'retry-after': '9' }, 150],
    [{ 'retry-after': ['3', '4'] }, 3_000],
    [{ 'retry-after': '999999999' }, 86_400_000],
    [{ 'retry-after': '-1' }, null],
    [{ 'retry-after': 'soon' }, null],
    [{ 'retry-after': '' }, null],
    [{ 'retry-after': '1e9' }, null],
    [{}, null],
  ])('RTE-2: %j asks for %s ms', (headers, expected) => {
    expect(retryAfterMs(headers, nowMs)).toBe(expected);
  });
});

it("RTE-2: Google's pause stands in the body, and a header goes before it", () => {
  const body = Buffer.from('{"error":{"details":[{"@type":"x","retryDelay": "34.5s"}]}}');
  expect(retryAfterMs({}, 0, body)).toBe(34_500);
  expect(retryAfterMs({ 'retry-after': '1' }, 0, body)).toBe(1_000);
  expect(retryAfterMs({}, 0, Buffer.from('{"retryDelay":"soon"}'))).toBeNull();
});

describe('backoffMs', () => {
  it('RTE-2: full jitter below a bound that doubles, up to the longest', () => {
    const limits = { baseMs: 100, maxBackoffMs: 1_000 };
    expect([1, 2, 3, 4, 5, 40].map((tries) => backoffMs(tries, limits, null, () => 0.999))).toEqual([
      99, 199, 399, 799, 999, 999,
    ]);
    expect(backoffMs(3, limits, null, () => 0)).toBe(0);
  });

  it('RTE-2: never sooner than the provider asked, and not all at the same moment', () => {
    const limits = { baseMs: 100, maxBackoffMs: 1_000 };
    expect(backoffMs(1, limits, 2_000, () => 0)).toBe(2_000);
    expect(backoffMs(5, limits, 2_000, () => 0.999)).toBe(2_099);
  });
});
