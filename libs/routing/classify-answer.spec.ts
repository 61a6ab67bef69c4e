import type { DialectName } from '#libs/dialects/index.js';
import type { FailureClass } from '#libs/platform/config.js';
import { classifyAnswer, classifyHiddenError, MOST_ERROR_BYTES } from './classify-answer.js';
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
