import type { FaultShape } from './call.js';

function kindOf(status: number): string {
  if (status === 429) return 'requests';
  if (status >= 500) return 'server_error';
  return 'invalid_request_error';
}

const CODES: Readonly<Record<number, string>> = {
  401: 'invalid_api_key',
  404: 'not_found',
  429: 'rate_limit_exceeded',
};

/** `{"error":{message,type,param,code}}` */
export const openaiFault: FaultShape = ({ status, message, param, code }, digest) => ({
  body: { error: { message, type: kindOf(status), param, code: code ?? CODES[status] ?? null } },
  headers: { 'x-request-id': `req_${digest.slice(0, 32)}` },
});

/** Headers of every answer in this dialect. */
export function openaiHeaders(digest: string): Record<string, string> {
  return { 'x-request-id': `req_${digest.slice(0, 32)}`, 'openai-processing-ms': '1' };
}
