import type { IncomingHttpHeaders } from 'node:http';
import { parseSpan, scanObject } from '#libs/dialects/index.js';
import { AppError } from '#libs/platform/errors.js';
import type { AnswerDecoder } from '../adaptation.js';
import { anthropicError, errorTypeOf } from '../anthropic-cloud/error-body.js';
import { EventStreamFault, EventStreamReader, type EventMessage } from './event-stream.js';

/** The status an exception inside a stream would have had as an answer (Bedrock API, InvokeModelWithResponseStream). */
const STATUS_OF_EXCEPTION: Readonly<Record<string, number>> = {
  throttlingexception: 429,
  validationexception: 400,
  internalserverexception: 500,
  modelstreamerrorexception: 500,
  modeltimeoutexception: 408,
  modelnotreadyexception: 429,
  serviceunavailableexception: 503,
  accessdeniedexception: 403,
  expiredtokenexception: 403,
  resourcenotfoundexception: 404,
};

const NOTHING = Buffer.alloc(0);
const TYPE: ReadonlySet<string> = new Set(['type']);
const LINE_BREAK = /[\n\r]/;

/**
 * The stream of `InvokeModelWithResponseStream` as the event stream of the Anthropic API: each `chunk` holds one event of
 * the model in base64, which goes on as its bytes are; exceptions become `error` events.
 */
export class EventsToSse implements AnswerDecoder {
  readonly headers: IncomingHttpHeaders;
  readonly #reader = new EventStreamReader();
  #fault: Error | null = null;

  constructor(headers: IncomingHttpHeaders) {
    const { 'content-length': _length, ...others } = headers;
    this.headers = { ...others, 'content-type': 'text/event-stream; charset=utf-8' };
  }

  get fault(): Error | null {
    return this.#fault;
  }

  /** What came before a fault is still passed on. */
  push(chunk: Buffer): Buffer {
    if (this.#fault !== null) return NOTHING;
    const events: string[] = [];
    try {
      this.#reader.push(chunk, (message) => events.push(toEvent(message)));
    } catch (error) {
      this.#fault = new AppError('upstream_invalid', { cause: error });
    }
    return events.length === 0 ? NOTHING : Buffer.from(events.join(''));
  }

  /** A message that never ended says nothing: the missing end of the stream is an error already. */
  end(): Buffer {
    return NOTHING;
  }
}

function toEvent({ headers, payload }: EventMessage): string {
  const kind = headers.get(':message-type') ?? 'event';
  if (kind === 'exception') return errorEvent(headers.get(':exception-type') ?? '', messageOf(payload));
  if (kind === 'error') return errorEvent(headers.get(':error-code') ?? '', headers.get(':error-message') ?? '');
  if (headers.get(':event-type') !== 'chunk') return '';
  const bytes = (objectOf(payload) ?? {})['bytes'];
  if (typeof bytes !== 'string') throw new EventStreamFault('a chunk without bytes');
  return modelEvent(Buffer.from(bytes, 'base64'));
}

/** An event without a type has no name and would reach no client; keep-alives look like that. */
function modelEvent(json: Buffer): string {
  let type: unknown;
  try {
    const span = scanObject(json, TYPE).fields.get('type');
    type = span === undefined ? null : parseSpan(json, span);
  } catch {
    throw new EventStreamFault('a chunk that holds no JSON object');
  }
  if (typeof type !== 'string' || !/^[a-z_]{1,64}$/.test(type)) return '';
  const text = json.toString();
  // A data line is one line; the models write none with a break, and if one did, only white space could hold it.
  const line = LINE_BREAK.test(text) ? JSON.stringify(JSON.parse(text)) : text;
  return `event: ${type}\ndata: ${line}\n\n`;
}

function errorEvent(name: string, message: string): string {
  const status = STATUS_OF_EXCEPTION[name.toLowerCase()] ?? 500;
  return `event: error\ndata: ${anthropicError(errorTypeOf(status), message === '' ? name : message)}\n\n`;
}

function messageOf(payload: Buffer): string {
  const { message, Message } = objectOf(payload) ?? {};
  return [message, Message].find((text) => typeof text === 'string') ?? '';
}

function objectOf(payload: Buffer): Record<string, unknown> | null {
  try {
    const value = JSON.parse(payload.toString()) as unknown;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
