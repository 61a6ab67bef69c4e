import type { IncomingHttpHeaders } from 'node:http';
import type { AnswerDecoder } from '../adaptation.js';

/** `error.type` of the Anthropic API by HTTP status (API reference, "Errors"). */
const TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  408: 'timeout_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

/** The type of an error by the status it came, or would have come, with. */
export function errorTypeOf(status: number): string {
  return TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
}

/** `{"type":"error","error":{type,message}}`; the message word for word, since clients repair themselves by it. */
export function anthropicError(type: string, message: string): string {
  return JSON.stringify({ type: 'error', error: { type, message } });
}

const MAX_ERROR_BYTES = 256 * 1024;

/**
 * An error that a cloud, not the model, has written, in the shape of the Anthropic API: AWS has `{"message"}`, Google
 * `{"error":{"message"}}`, alone or in an array. Anything else, and what is too long, goes on as it came.
 */
export class CloudErrorDecoder implements AnswerDecoder {
  readonly headers: IncomingHttpHeaders;
  readonly fault = null;
  readonly #status: number;
  #parts: Buffer[] | null = [];
  #bytes = 0;

  constructor(status: number, headers: IncomingHttpHeaders) {
    this.#status = status;
    const { 'content-length': _length, ...others } = headers;
    this.headers = others;
  }

  push(chunk: Buffer): Buffer {
    if (this.#parts === null) return chunk;
    this.#parts.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes <= MAX_ERROR_BYTES) return NOTHING;
    const held = Buffer.concat(this.#parts);
    this.#parts = null;
    return held;
  }

  end(): Buffer {
    if (this.#parts === null) return NOTHING;
    const received = Buffer.concat(this.#parts);
    const message = cloudMessage(received);
    return message === null ? received : Buffer.from(anthropicError(errorTypeOf(this.#status), message));
  }
}

const NOTHING = Buffer.alloc(0);

/** The message of an error of a cloud; `null` when it is none of these, such as one of Anthropic's own. */
function cloudMessage(body: Buffer): string | null {
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    return null;
  }
  if (Array.isArray(value)) value = value[0];
  if (typeof value !== 'object' || value === null) return null;
  const { type, message, Message, error } = value as Record<string, unknown>;
  if (type === 'error') return null;
  const inner = typeof error === 'object' && error !== null ? (error as Record<string, unknown>)['message'] : undefined;
  return [message, Message, inner].find((text) => typeof text === 'string') ?? null;
}
