import type { DialectName } from '#libs/dialects/index.js';
import type { FailureClass } from '#libs/platform/config.js';
import { classifyAnswer } from './classify-answer.js';

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
